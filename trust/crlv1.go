package trust

import (
	"bytes"
	"crypto/x509"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// parseList is x509.ParseRevocationList that also reads lists of version 1.
//
// QUIRK: RFC 5280 5.1.2.1 wants version 2, but `openssl ca -gencrl` writes version 1 unless its configuration names
// extensions. Such a list has no extensions and so no scope; it says nothing less for that.
func parseList(der []byte) (*x509.RevocationList, error) {
	list, err := x509.ParseRevocationList(der)
	if err == nil {
		return list, nil
	}
	s := cryptobyte.String(der)
	var outer, tbs, content cryptobyte.String
	if !s.ReadASN1(&outer, casn1.SEQUENCE) || !s.Empty() || !outer.ReadASN1Element(&tbs, casn1.SEQUENCE) {
		return nil, err
	}
	element := tbs
	if !element.ReadASN1(&content, casn1.SEQUENCE) || content.PeekASN1Tag(casn1.INTEGER) {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1) // version 2
			b.AddBytes(content)
		})
		b.AddBytes(outer)
	})
	second, buildErr := b.Bytes()
	if buildErr != nil {
		return nil, err
	}
	list, secondErr := x509.ParseRevocationList(second)
	if secondErr != nil || len(list.Extensions) > 0 {
		return nil, err // version 1 has none
	}
	list.Raw, list.RawTBSRevocationList = bytes.Clone(der), bytes.Clone(tbs)
	return list, nil
}
