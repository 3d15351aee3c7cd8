package smime

import (
	"time"

	"chancery.example/cms"
)

// Verdict is what a reader may believe of a mail or of one signature.
type Verdict string

// The verdicts.
const (
	// Valid: one signature covers all that a reader is shown, is intact, and its signer may be believed.
	Valid Verdict = "valid"
	// Untrusted: intact, but something about the signer or the cover does not hold or cannot be told.
	Untrusted Verdict = "untrusted"
	// Invalid: broken, altered, made by a forbidden algorithm, or revoked.
	Invalid Verdict = "invalid"
	// Unsigned: there is no signature.
	Unsigned Verdict = "unsigned"
)

// Reason says why a verdict is not better. Code is stable; Text is for a person.
type Reason struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// The codes of reasons that this package gives; those about a certificate's path are the trust package's.
const (
	NoFrom               = "no-from"                // untrusted: there is no From address
	AmbiguousFrom        = "ambiguous-from"         // untrusted: readers may see different From addresses
	SignerMismatch       = "signer-mismatch"        // untrusted: the From address is not the signer's
	PartlySigned         = "partly-signed"          // untrusted: something shown is not under the signature
	SignerUnknown        = "signer-unknown"         // untrusted: the signer's certificate is not at hand
	UnknownAlgorithm     = "unknown-algorithm"      // untrusted: an algorithm that we cannot check
	DigestNotTaken       = "digest-not-taken"       // untrusted: micalg named another digest and the input cannot be read twice
	WeakAlgorithm        = "weak-algorithm"         // invalid: SHA-1, MD5, RSA under 2048 bits …
	ContentAltered       = "content-altered"        // invalid: the content is not what was signed
	BrokenSignature      = "broken-signature"       // invalid: the signature does not hold
	MalformedSignature   = "malformed-signature"    // invalid: the signature cannot be read
	TwoContents          = "two-contents"           // invalid: the signature brings a content beside the one that is shown
	MissingContent       = "missing-content"        // invalid: a signature without anything that it signs
	NoSigner             = "no-signer"              // unsigned: a signature structure that nobody signed
	ProtectedFromDiffers = "protected-from-differs" // untrusted: the From under the signature is not the one outside
)

// Report is everything that is known about a mail after Open. Its JSON form is a contract with scripts.
type Report struct {
	Verdict Verdict `json:"verdict"`
	// Reasons are those of the signature that decided, empty when the verdict is valid.
	Reasons []Reason `json:"reasons"`
	// Encrypted is true when the whole mail was encrypted, or still is because no key was given.
	Encrypted bool `json:"encrypted"`
	// Authenticated is true when nobody can have altered the content on its way: every encryption was an AEAD, or a
	// valid signature inside covers all of it.
	Authenticated bool `json:"authenticated"`
	// From is the address that signers were compared with; "" when there is none.
	From string `json:"from"`
	// Sender is the value of the Sender field. It is shown and decides nothing.
	Sender string `json:"sender,omitempty"`
	// Signatures are all that were found, the outermost first, those that cover only a part included.
	Signatures []Signature `json:"signatures"`
	// Layers are what lay around the content, outermost first.
	Layers []Layer `json:"layers"`
	// ProtectedHeaders are header fields that stand under the signature or encryption (RFC 9788), by lower-case name.
	ProtectedHeaders map[string]ProtectedHeader `json:"protected_headers"`
}

// Layer is one signature, encryption or compression around the content.
type Layer struct {
	// Type is "signed-data", "multipart/signed", "enveloped-data", "auth-enveloped-data" or "compressed-data".
	Type string `json:"type"`
	// Opened is false for an encryption that was left closed because no key was given.
	Opened bool `json:"opened"`
	// Cipher is set for an encryption that was opened, such as "aes-256-gcm".
	Cipher string `json:"cipher,omitempty"`
	// Authenticated is true for an AEAD.
	Authenticated bool `json:"authenticated,omitempty"`
	// Recipients counts those who can open it.
	Recipients int `json:"recipients,omitempty"`
	// Signers counts those who signed.
	Signers int `json:"signers,omitempty"`
}

// Signature is one signer's signature.
type Signature struct {
	// Signer is the subject of the signer's certificate, or its issuer and serial number when it is not at hand.
	Signer string `json:"signer"`
	// Addresses are the mail addresses of the signer's certificate.
	Addresses []string `json:"addresses"`
	Verdict   Verdict  `json:"verdict"`
	Reasons   []Reason `json:"reasons"`
	// DigestAlgorithm and SignatureAlgorithm are named as the field names them.
	DigestAlgorithm    string `json:"digest_algorithm"`
	SignatureAlgorithm string `json:"signature_algorithm"`
	// SigningTime is what the signer claims; it is never believed.
	SigningTime *time.Time `json:"signing_time"`
	// Chain is the path from the signer to the anchor, or as far as one was found.
	Chain      []ChainLink `json:"chain"`
	Revocation Revocation  `json:"revocation"`
	// Part is the place of what is signed, "" for the whole mail, else part numbers such as "2.1".
	Part string `json:"part,omitempty"`
	// Capabilities are what the signer says to be able to read, best first, for Correspondent. They are to be kept only
	// of a valid signature.
	Capabilities []cms.Algorithm `json:"-"`
}

// ChainLink is one certificate of a path.
type ChainLink struct {
	Subject string `json:"subject"`
	Issuer  string `json:"issuer"`
	// Serial is in hexadecimal digits.
	Serial    string    `json:"serial"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	// SHA256 is the fingerprint of the certificate in hexadecimal digits.
	SHA256 string `json:"sha256"`
	// DER is the certificate itself.
	DER []byte `json:"-"`
}

// Revocation is what is known about the revocation of a signature's chain.
type Revocation struct {
	// Status is "not-checked", "good", "unknown" or "revoked".
	Status string `json:"status"`
	// RevokedAt and Reason (RFC 5280 5.3.1) are set for "revoked".
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	Reason    *int       `json:"reason,omitempty"`
	// Source is "crl" or "ocsp".
	Source string `json:"source,omitempty"`
	Detail string `json:"detail,omitempty"`
}
