package cms

import (
	"bytes"
	"crypto/x509"
	"math/big"
)

// EntityIdentifier names a certificate by issuer and serial number, or by subject key identifier: RFC 5652 5.3, 6.2.
type EntityIdentifier struct {
	// Issuer is the DER of the issuer's name; nil if KeyID is used.
	Issuer []byte
	// Serial is the serial number; nil if KeyID is used.
	Serial *big.Int
	// KeyID is the subject key identifier; nil if issuer and serial number are used.
	KeyID []byte
}

// Matches tells whether cert is the certificate that is named.
func (e EntityIdentifier) Matches(cert *x509.Certificate) bool {
	switch {
	case cert == nil:
		return false
	case e.Serial != nil:
		return cert.SerialNumber.Cmp(e.Serial) == 0 && bytes.Equal(cert.RawIssuer, e.Issuer)
	default:
		return len(e.KeyID) > 0 && bytes.Equal(cert.SubjectKeyId, e.KeyID)
	}
}

func issuerAndSerial(cert *x509.Certificate) []byte {
	return constructed(tagSequence, cert.RawIssuer, derBig(cert.SerialNumber))
}

// parseIssuerAndSerial reads the contents of an IssuerAndSerialNumber: RFC 5652 10.2.4.
func parseIssuerAndSerial(p []byte) (EntityIdentifier, bool) {
	fields := cursor(p)
	issuer, ok := fields.take(tagSequence)
	if !ok {
		return EntityIdentifier{}, false
	}
	serial, ok := fields.take(tagInteger)
	if !ok || len(fields) != 0 || len(serial.contents) == 0 {
		return EntityIdentifier{}, false
	}
	n := new(big.Int).SetBytes(serial.contents)
	if serial.contents[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(serial.contents))))
	}
	return EntityIdentifier{Issuer: bytes.Clone(issuer.whole), Serial: n}, true
}

// parseIdentifier reads a choice of IssuerAndSerialNumber and [0] SubjectKeyIdentifier.
func parseIdentifier(fields *cursor) (EntityIdentifier, bool) {
	if e, ok := fields.take(tagSequence); ok {
		return parseIssuerAndSerial(e.contents)
	}
	e, ok := fields.take(context(0))
	if !ok {
		return EntityIdentifier{}, false
	}
	id, ok := implicitOctets(e)
	return EntityIdentifier{KeyID: bytes.Clone(id)}, ok
}

// implicitOctets returns the contents of an implicitly tagged OCTET STRING. BER lets it come in pieces, which normalize
// cannot see behind the other tag.
func implicitOctets(e element) ([]byte, bool) {
	if !e.constructed {
		return e.contents, true
	}
	var out []byte
	for rest := cursor(e.contents); len(rest) > 0; {
		piece, ok := rest.take(tagOctetString)
		if !ok || piece.constructed {
			return nil, false
		}
		out = append(out, piece.contents...)
	}
	return out, true
}
