package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"chancery.example/fault"
)

// MaxCertificate bounds a certificate, in octets.
const MaxCertificate = 1 << 20

// ParseCertificate reads a certificate in DER. It is x509.ParseCertificate that also takes CRL distribution points
// with names relative to the CRL issuer (RFC 5280 4.2.1.13), which crypto/x509 refuses. What still cannot be read
// is a fault.Invalid with code "trust.certificate-malformed".
func ParseCertificate(der []byte) (*x509.Certificate, error) {
	if len(der) > MaxCertificate {
		return nil, fault.New(fault.TooLarge, "trust.certificate-too-large", "A certificate may have %d octets at most.", MaxCertificate)
	}
	cert, err := x509.ParseCertificate(der)
	if err == nil {
		return cert, nil
	}
	if cert := parseWithoutPoints(der); cert != nil {
		return cert, nil
	}
	return nil, fault.Wrap(err, fault.Invalid, "trust.certificate-malformed", "This certificate cannot be read: it is damaged, or not made as RFC 5280 says.")
}

// parseWithoutPoints parses a copy whose CRL distribution points go by another object identifier, and puts the
// original octets back. It is nil when that does not help.
func parseWithoutPoints(der []byte) *x509.Certificate {
	tbs, at := findPoints(der)
	if at < 0 {
		return nil
	}
	patched := bytes.Clone(der)
	patched[at] = 0x7f // 2.5.29.127, which nobody assigned
	cert, err := x509.ParseCertificate(patched)
	if err != nil {
		return nil
	}
	hidden := asn1.ObjectIdentifier{2, 5, 29, 127}
	cert.Raw, cert.RawTBSCertificate = bytes.Clone(der), bytes.Clone(tbs)
	for i := range cert.Extensions {
		if cert.Extensions[i].Id.Equal(hidden) {
			cert.Extensions[i].Id = oidCRLDistribution
		}
	}
	cert.UnhandledCriticalExtensions = slices.DeleteFunc(cert.UnhandledCriticalExtensions, hidden.Equal)
	return cert
}

// findPoints finds the last octet of the object identifier of the only CRL distribution points extension, if it has
// a relative name and can be read otherwise. at is -1 when there is none.
func findPoints(der []byte) (tbs []byte, at int) {
	s := cryptobyte.String(der)
	var cert, element, body, wrapped, list cryptobyte.String
	if !s.ReadASN1(&cert, casn1.SEQUENCE) || !s.Empty() || !cert.ReadASN1Element(&element, casn1.SEQUENCE) {
		return nil, -1
	}
	tbs = element
	if !element.ReadASN1(&body, casn1.SEQUENCE) {
		return nil, -1
	}
	for !body.Empty() {
		var tag casn1.Tag
		if !body.ReadAnyASN1(&wrapped, &tag) {
			return nil, -1
		}
		if tag != casn1.Tag(3).ContextSpecific().Constructed() {
			continue
		}
		if !wrapped.ReadASN1(&list, casn1.SEQUENCE) {
			return nil, -1
		}
		return tbs, pointsIn(list, len(der)-len(s)-len(cert)-len(body)-len(wrapped))
	}
	return nil, -1
}

// pointsIn searches Extensions whose content ends at that offset of the certificate.
func pointsIn(list cryptobyte.String, end int) int {
	at := -1
	for !list.Empty() {
		var ext, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !list.ReadASN1(&ext, casn1.SEQUENCE) {
			return -1
		}
		length := len(ext)
		if !ext.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidCRLDistribution) {
			continue
		}
		if at >= 0 || !ext.SkipOptionalASN1(casn1.BOOLEAN) || !ext.ReadASN1(&value, casn1.OCTET_STRING) {
			return -1
		}
		points, err := parseDistributionPoints(value)
		if err != nil || !slices.ContainsFunc(points, func(p distributionPoint) bool { return p.relative != nil }) {
			return -1
		}
		at = end - len(list) - length + 4 // 06 03 55 1d 1f: the fifth octet
	}
	return at
}
