package cms

import (
	"crypto"
	"crypto/ecdh"
	"crypto/x509"
	"io"
)

// KeyAgreer is a private key for key agreement, *ecdh.PrivateKey or one in an HSM.
type KeyAgreer interface {
	ECDH(remote *ecdh.PublicKey) ([]byte, error)
}

// DecryptionKey is a private key to open messages with.
type DecryptionKey struct {
	// Certificate is how messages name the key.
	Certificate *x509.Certificate
	// Key is a crypto.Decrypter for RSA (such as *rsa.PrivateKey; it must honour rsa.PKCS1v15DecryptOptions.SessionKeyLen
	// and rsa.OAEPOptions), or an *ecdsa.PrivateKey, or a KeyAgreer. All three may live in an HSM but the second.
	Key crypto.PrivateKey
}

// RecipientKind is how a recipient gets at the content key: RFC 5652 6.2.
type RecipientKind string

// The kinds of recipients.
const (
	KeyTransport     RecipientKind = "key-transport"
	KeyAgreement     RecipientKind = "key-agreement"
	KeyEncryptionKey RecipientKind = "key-encryption-key"
	Password         RecipientKind = "password"
	OtherRecipient   RecipientKind = "other"
)

// RecipientInfo says for whom a message is encrypted. A key agreement with several recipients counts as several.
type RecipientInfo struct {
	Kind RecipientKind
	// Recipient names the recipient's certificate; zero for kinds that name none.
	Recipient EntityIdentifier
	// KeyEncryption is how the content key is encrypted.
	KeyEncryption Algorithm
	// EncryptedKeyHash is SHA-256 of the encrypted content key. Who remembers those seen under an AEAD can refuse them
	// under another cipher: a downgrade.
	EncryptedKeyHash [32]byte
}

// Matches tells whether cert is the certificate that the recipient is named by.
func (r RecipientInfo) Matches(cert *x509.Certificate) bool { return false }

// Opened is a message that was decrypted, wholly read, and, if the cipher can tell, found unaltered.
type Opened struct {
	// Plaintext is the content. Close it, even unread: it may hold a temporary file.
	Plaintext io.ReadCloser
	// Cipher is the content encryption algorithm.
	Cipher Cipher
	// Authenticated tells that the content is what was sealed. It is false for CBC: such plaintext may have been altered
	// on its way and must not be shown as trusted unless a signature inside covers all of it.
	Authenticated bool
	// ContentType is the type of the content.
	ContentType OID
	// Recipients are all recipients of the message, ours or not.
	Recipients []RecipientInfo
	// Weak tells that the cipher is only kept to read old mail.
	Weak bool
}

// NoKeyError is the private cause of a failed Decrypt when none of the recipients was among the keys. It tells the owner
// of the keys, and nobody else, whom the message is for.
type NoKeyError struct {
	Recipients []RecipientInfo
}

func (e *NoKeyError) Error() string { return "no key for any of the recipients" }

// Decrypt reads an EnvelopedData or AuthEnvelopedData to its end and opens it by whichever of the keys fits. Every
// failure that could depend on a key has the same code cms.decrypt and the same sentence, whatever went wrong.
func Decrypt(r io.Reader, keys []DecryptionKey, l Limits) (*Opened, error) { return nil, errNotYet }
