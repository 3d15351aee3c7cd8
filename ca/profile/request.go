package profile

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"chancery.example/fault"
	"chancery.example/mailbox"
)

// Bounds of a PKCS #10 request.
const (
	// MaxRequest is the most octets of a request, PEM or DER.
	MaxRequest = 64 << 10
	// maxRequestKey bounds the RSA modulus before its signature is checked, since that takes time by the square of it.
	maxRequestKey = 8192
)

// Request is a PKCS #10 request (RFC 2986) whose signature holds.
type Request struct {
	PublicKey crypto.PublicKey
	SPKI      []byte // DER of the SubjectPublicKeyInfo
	// Mailboxes are all addresses that it asks for, in SAN and subject, without repetition. May be empty.
	Mailboxes []mailbox.Address
}

// CheckRequest reads a request, PEM or DER, and checks that its sender holds the private key. Whether the key is good
// enough is for CheckKey, whether the addresses are those ordered for the caller; nothing else that a request asks
// for is heeded.
func CheckRequest(data []byte) (*Request, error) {
	if len(data) > MaxRequest {
		return nil, fault.New(fault.TooLarge, "request.too-large", "A certificate request is at most %d KiB; this is something else.", MaxRequest>>10)
	}
	der, err := requestDER(data)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "request.malformed",
			"This is not a PKCS #10 certificate request. Send the file that begins with -----BEGIN CERTIFICATE REQUEST-----.")
	}
	if k, ok := parsed.PublicKey.(*rsa.PublicKey); ok && (k.N.BitLen() < 1024 || k.N.BitLen() > maxRequestKey) {
		return nil, refuse("BR-027", "The request has an RSA key of %d bits; 2048 to 4096 are certified (SBR 6.1.5, BR-027). Make a new key.", k.N.BitLen())
	}
	if parsed.PublicKey == nil {
		return nil, refuse("BR-026", "Keys of this kind are not certified here; use RSA with 2048 to 4096 bits, P-256, P-384 or P-521 (SBR 6.1.5, BR-026).")
	}
	if err := parsed.CheckSignature(); errors.Is(err, x509.ErrUnsupportedAlgorithm) {
		return nil, fault.Wrap(err, fault.Invalid, "request.algorithm",
			"The request is signed in a way that cannot be checked here. Sign it with SHA-256, by ECDSA or by RSA PKCS #1 v1.5.")
	} else if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "request.signature",
			"The signature of the request does not hold, so it does not prove that you have the private key. Make the request again.")
	}
	mailboxes, err := requestedMailboxes(parsed)
	if err != nil {
		return nil, err
	}
	return &Request{PublicKey: parsed.PublicKey, SPKI: parsed.RawSubjectPublicKeyInfo, Mailboxes: mailboxes}, nil
}

// requestDER takes the armour off.
func requestDER(data []byte) ([]byte, error) {
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		return data, nil
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fault.New(fault.Invalid, "request.malformed", "The request is cut off or was changed on its way; copy all lines, the first and the last too.")
	}
	switch {
	case block.Type == "CERTIFICATE REQUEST" || block.Type == "NEW CERTIFICATE REQUEST":
		return block.Bytes, nil
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return nil, fault.New(fault.Invalid, "request.private-key",
			"This is a private key, not a request. It was not kept; still, treat it as seen by others: make a new key, and send only the request.")
	}
	return nil, fault.New(fault.Invalid, "request.malformed", "This is a %s, not a certificate request.", strings.ToLower(block.Type))
}

var (
	oidEmailAddress  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	errRequestedName = fault.New(fault.Invalid, "request.malformed", "The subject alternative name of the request cannot be read. Make the request again.")
)

// requestedMailboxes collects rfc822Names, SmtpUTF8Mailboxes, emailAddresses, and common names that look like an address.
func requestedMailboxes(r *x509.CertificateRequest) ([]mailbox.Address, error) {
	texts := slices.Clone(r.EmailAddresses)
	for _, e := range r.Extensions {
		if e.Id.Equal(oidSubjectAltName) {
			more, ok := utf8Mailboxes(e.Value)
			if !ok {
				return nil, errRequestedName
			}
			texts = append(texts, more...)
		}
	}
	for _, a := range r.Subject.Names {
		text, ok := a.Value.(string)
		if ok && (a.Type.Equal(oidEmailAddress) || a.Type.Equal(oidCommonName) && strings.Contains(text, "@")) {
			texts = append(texts, text)
		}
	}
	var found []mailbox.Address
	for _, text := range texts {
		m, err := mailbox.Parse(text)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(found, m) {
			found = append(found, m)
		}
	}
	if len(found) > MaxMailboxes {
		return nil, fault.New(fault.Invalid, "request.mailboxes", "The request names %d mailboxes; %d is the most.", len(found), MaxMailboxes)
	}
	return found, nil
}

// utf8Mailboxes reads the SmtpUTF8Mailbox names (RFC 9598) of a SubjectAltName, which crypto/x509 passes over.
func utf8Mailboxes(san []byte) ([]string, bool) {
	s := cryptobyte.String(san)
	var names cryptobyte.String
	if !s.ReadASN1(&names, cbasn1.SEQUENCE) || !s.Empty() {
		return nil, false
	}
	var found []string
	for !names.Empty() {
		var value cryptobyte.String
		var tag cbasn1.Tag
		if !names.ReadAnyASN1(&value, &tag) {
			return nil, false
		}
		if tag != cbasn1.Tag(0).ContextSpecific().Constructed() {
			continue
		}
		var kind asn1.ObjectIdentifier
		var wrapped, text cryptobyte.String
		if !value.ReadASN1ObjectIdentifier(&kind) || !value.ReadASN1(&wrapped, cbasn1.Tag(0).ContextSpecific().Constructed()) {
			return nil, false
		}
		if !kind.Equal(oidSmtpUTF8Mailbox) {
			continue
		}
		if !wrapped.ReadASN1(&text, cbasn1.UTF8String) || !wrapped.Empty() {
			return nil, false
		}
		found = append(found, string(text))
	}
	return found, true
}
