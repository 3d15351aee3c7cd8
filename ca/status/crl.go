package status

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// list is a CertificateList (RFC 5280 5.1) before it is signed.
type list struct {
	issuer                 *x509.Certificate
	number                 int64
	thisUpdate, nextUpdate time.Time
	entries                *entries
}

// Signature algorithms that the house uses for lists, of those that SBR 7.1.3.2 allows.
var (
	oidECDSAWithSHA256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidECDSAWithSHA384 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
	oidSHA256WithRSA   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidAuthorityKeyID  = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidCRLNumber       = asn1.ObjectIdentifier{2, 5, 29, 20}
)

// algorithm chooses the signature algorithm by the key: the hash belongs to the curve (SBR 7.1.3.2, BR-031).
func algorithm(key crypto.PublicKey) (der []byte, hash crypto.Hash, err error) {
	var b cryptobyte.Builder
	var oid asn1.ObjectIdentifier
	_, isRSA := key.(*rsa.PublicKey)
	ec, isEC := key.(*ecdsa.PublicKey)
	switch {
	case isRSA:
		oid, hash = oidSHA256WithRSA, crypto.SHA256
	case isEC && ec.Curve == elliptic.P256():
		oid, hash = oidECDSAWithSHA256, crypto.SHA256
	case isEC && ec.Curve == elliptic.P384():
		oid, hash = oidECDSAWithSHA384, crypto.SHA384
	default:
		return nil, 0, fmt.Errorf("status: lists are signed with RSA, P-256 or P-384, not with %T", key)
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		if isRSA {
			b.AddASN1NULL()
		}
	})
	der, err = b.Bytes()
	return der, hash, err
}

// write signs the list and writes its DER. It goes over the entries twice, once to hash and once to write, and holds
// nothing of its size: the signature can be made only after the whole list was hashed, but stands at its end.
func (l list) write(w io.Writer, signer crypto.Signer) error {
	alg, hash, err := algorithm(signer.Public())
	if err != nil {
		return err
	}
	head, tail, err := l.frame(alg)
	if err != nil {
		return err
	}
	h := hash.New()
	h.Write(head)
	if err := l.entries.each(func(c []byte) error { _, err := h.Write(c); return err }); err != nil {
		return err
	}
	h.Write(tail)
	signature, err := signer.Sign(rand.Reader, h.Sum(nil), hash)
	if err != nil {
		return fmt.Errorf("status: signing the list: %w", err)
	}

	bits := header(cbasn1.BIT_STRING, len(signature)+1)
	bits = append(append(bits, 0), signature...)
	outer := header(cbasn1.SEQUENCE, len(head)+l.entries.size+len(tail)+len(alg)+len(bits))
	for _, part := range [][]byte{outer, head} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	if err := l.entries.each(func(c []byte) error { _, err := w.Write(c); return err }); err != nil {
		return err
	}
	for _, part := range [][]byte{tail, alg, bits} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// frame makes what stands before and after the entries in the tbsCertList. An empty list has no revokedCertificates
// at all (RFC 5280 5.1.2.6).
func (l list) frame(alg []byte) (head, tail []byte, err error) {
	tail, err = l.extensions()
	if err != nil {
		return nil, nil, err
	}
	fields := []byte{0x02, 0x01, 0x01} // version v2
	fields = append(fields, alg...)
	fields = append(fields, l.issuer.RawSubject...)
	fields = appendTime(fields, l.thisUpdate)
	fields = appendTime(fields, l.nextUpdate)
	if l.entries.count > 0 {
		fields = append(fields, header(cbasn1.SEQUENCE, l.entries.size)...)
	}
	head = append(header(cbasn1.SEQUENCE, len(fields)+l.entries.size+len(tail)), fields...)
	return head, tail, nil
}

// extensions are the two that RFC 5280 5.2 demands, in their [0].
func (l list) extensions() ([]byte, error) {
	if len(l.issuer.SubjectKeyId) == 0 {
		return nil, fmt.Errorf("status: the certificate of %s has no subject key identifier for its lists to name", l.issuer.Subject)
	}
	var b cryptobyte.Builder
	extension := func(b *cryptobyte.Builder, oid asn1.ObjectIdentifier, value func(*cryptobyte.Builder)) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			b.AddASN1(cbasn1.OCTET_STRING, value)
		})
	}
	b.AddASN1(cbasn1.Tag(0).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			extension(b, oidAuthorityKeyID, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(l.issuer.SubjectKeyId) })
				})
			})
			extension(b, oidCRLNumber, func(b *cryptobyte.Builder) { b.AddASN1Int64(l.number) })
		})
	})
	return b.Bytes()
}

// der is the signed list in memory.
func (l list) der(signer crypto.Signer) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(l.entries.size + 4096)
	if err := l.write(&b, signer); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// header is the tag and length of a DER value of n octets.
func header(tag cbasn1.Tag, n int) []byte {
	b := []byte{byte(tag)}
	if n < 0x80 {
		return append(b, byte(n))
	}
	octets := 0
	for v := n; v > 0; v >>= 8 {
		octets++
	}
	b = append(b, 0x80|byte(octets))
	for octets--; octets >= 0; octets-- {
		b = append(b, byte(n>>(8*octets)))
	}
	return b
}
