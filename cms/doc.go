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
// certificate is not a question for this package.
//
// # Encrypting and opening
//
// [NewEncrypter] seals what is written to it for several recipients. [Decrypt] reads a message to its end and only
// then hands out plaintext: what has an authentication tag after the tag held, what has none (CBC) after the whole
// message was parsed, marked as not authenticated. Meanwhile the ciphertext is kept as it came, in memory up to
// [Limits.SpoolMemory] and beyond that in an unlinked file of mode 0600; plaintext is never written anywhere.
//
// All failures to open look the same from outside, so that nobody can learn about a key by asking often.
//
// # Limits
//
// Everything that an attacker could make large has a bound in [Limits], whose zero value means the defaults.
package cms
