// Package cms answers: what do these CMS bytes say, and how are they made?
//
// The Cryptographic Message Syntax (RFC 5652 and its family) is what lies inside a signed or encrypted mail. This
// package reads it in BER (indefinite lengths, strings in pieces, sets in any order) and writes it in DER, as streams
// both ways: no call takes or returns a whole message, and memory does not grow with the message.
//
// # Signing and checking
//
// [NewSigner] wraps a writer; what is written to it is signed at Close. [NewReader] opens a stream and tells its type;
// [Reader.Signed] gives its content as a reader, and after the content's end [SignedReader.Finish] gives the
// certificates and signers. [VerifyDetached] and [Digester] serve content that travels beside its signature. A
// signer's [SignerInfo.Check] says whether the signature is intact under a certificate; whether to believe that
// certificate is not a question for this package. Signatures are by RSA (PKCS #1 v1.5 and PSS), ECDSA, Ed25519 and ML-DSA;
// [SignerInfo.CounterSignatures] stand on another signature and are checked in the same way.
//
// Ed25519 and ML-DSA sign the message itself. With signed attributes, as in all mail, that costs nothing; without, the
// content is kept in memory up to [Limits.WholeContent], and checks as [Unknown] beyond it.
//
// # Encrypting and opening
//
// [NewEncrypter] seals what is written to it for several recipients. [Decrypt] reads a message to its end and only
// then hands out plaintext: what has an authentication tag after the tag held, what has none (CBC) after the whole
// message was parsed, marked as not authenticated. Meanwhile the ciphertext is kept as it came, in memory up to
// [Limits.SpoolMemory] and beyond that in an unlinked file of mode 0600; plaintext is never written anywhere.
//
// Recipients are named by certificates with keys of RSA, P-256, P-384, P-521, X25519 or ML-KEM, or are whoever knows a
// password; a [DecryptionKey] is one of those private keys, a [Passphrase] or a [SharedKey]. [Reader.DecryptData] opens
// EncryptedData, which has no recipients, and [Reader.Compressed] unpacks CompressedData, which is not written here.
//
// All failures to open look the same from outside, so that nobody can learn about a key by asking often.
//
// # Limits
//
// Everything that an attacker could make large has a bound in [Limits], whose zero value means the defaults.
package cms
