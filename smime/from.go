package smime

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// author is whom a reader takes for the writer of a mail.
type author struct {
	// Address is the one From address, "" when there is not exactly one that every reader agrees on.
	Address string
	// Doubt says why there is none, or why it may not be believed; its Code is "" when all is well.
	Doubt Reason
	// Skip is true where there is no From by nature: bare CMS.
	Skip bool
}

// authorOf reads the From field as carefully as an attacker writes it.
func authorOf(h *Header) author {
	values := h.All("From")
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return author{Doubt: Reason{NoFrom, "The mail has no From address that could be compared with the signer's."}}
	case len(values) > 1:
		return author{Doubt: Reason{AmbiguousFrom, "The mail has several From fields."}}
	case h.Malformed:
		return author{Doubt: Reason{AmbiguousFrom, "The mail's header is malformed, so that mail programs may show different From addresses."}}
	}
	list, ok := parseAddresses(values[0])
	switch {
	case !ok:
		return author{Doubt: Reason{AmbiguousFrom, "The From field is malformed, so that mail programs may show different addresses."}}
	case len(list) != 1:
		return author{Doubt: Reason{AmbiguousFrom, "The From field names several addresses."}}
	}
	one := author{Address: list[0].Address}
	if other := foreignAddress(list[0].Display, one.Address); other != "" {
		one.Doubt = Reason{AmbiguousFrom, "The name in the From field shows the address " + other + ", but the mail is from " + one.Address + "."}
	}
	return one
}

// CheckFrom tells what a reader would find wrong between a mail's From and the certificate that signs it; nil when it
// is the signer's address. It is for whoever is about to sign.
func CheckFrom(h *Header, cert *x509.Certificate) *Reason {
	from := authorOf(h)
	if from.Doubt.Code != "" {
		return &from.Doubt
	}
	if !from.isSigner(Addresses(cert)) {
		return &Reason{SignerMismatch, "The mail is from " + from.Address + ", which is none of the signer's addresses."}
	}
	return nil
}

var (
	oidSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidSmtpUTF8Mailbox  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 9}
	oidSubjectMailField = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
)

// Addresses are the mail addresses that a certificate is for: those of its subjectAltName, rfc822Name and
// SmtpUTF8Mailbox (RFC 9598); the subject's emailAddress counts only where there is none (RFC 8550 3).
func Addresses(cert *x509.Certificate) []string {
	addresses := slices.Clone(cert.EmailAddresses)
	for _, extension := range cert.Extensions {
		if extension.Id.Equal(oidSubjectAltName) {
			addresses = append(addresses, smtpUTF8Mailboxes(extension.Value)...)
		}
	}
	if len(addresses) > 0 {
		return addresses
	}
	for _, attribute := range cert.Subject.Names {
		if text, isText := attribute.Value.(string); isText && attribute.Type.Equal(oidSubjectMailField) && text != "" {
			addresses = append(addresses, text)
		}
	}
	return addresses
}

// smtpUTF8Mailboxes reads the otherNames of a subjectAltName that crypto/x509 does not know. What is malformed is
// left out: it then names nobody.
func smtpUTF8Mailboxes(extension []byte) []string {
	var names cryptobyte.String
	input := cryptobyte.String(extension)
	if !input.ReadASN1(&names, cbasn1.SEQUENCE) {
		return nil
	}
	var found []string
	for !names.Empty() {
		var name, value cryptobyte.String
		var tag cbasn1.Tag
		var kind asn1.ObjectIdentifier
		if !names.ReadAnyASN1(&name, &tag) {
			return found
		}
		if tag != cbasn1.Tag(0).ContextSpecific().Constructed() || !name.ReadASN1ObjectIdentifier(&kind) ||
			!kind.Equal(oidSmtpUTF8Mailbox) || !name.ReadASN1(&value, cbasn1.Tag(0).ContextSpecific().Constructed()) {
			continue
		}
		var text cryptobyte.String
		if value.ReadASN1(&text, cbasn1.UTF8String) && !strings.ContainsRune(string(text), 0) {
			found = append(found, string(text))
		}
	}
	return found
}

// isSigner reports whether one of the certificate's addresses is the author's.
func (a author) isSigner(addresses []string) bool {
	return slices.ContainsFunc(addresses, func(address string) bool { return sameMailbox(address, a.Address) })
}
