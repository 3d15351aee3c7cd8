package lint

import (
	"encoding/asn1"
	"encoding/hex"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"chancery.example/ca/profile"
)

// maxExtensions bounds what one certificate may carry.
const maxExtensions = 64

// parts is a TBSCertificate in its pieces, each still the DER that it came as.
type parts struct {
	version    int64 // 2 is v3
	serial     []byte
	algorithm  []byte
	issuer     []byte
	validity   []byte
	subject    []byte
	spki       []byte
	extensions []extension
}

// extension is one extension; value is what its OCTET STRING holds.
type extension struct {
	oid      asn1.ObjectIdentifier
	critical bool
	value    []byte
}

var (
	explicit0 = cbasn1.Tag(0).ContextSpecific().Constructed()
	explicit3 = cbasn1.Tag(3).ContextSpecific().Constructed()
)

// parse takes a TBSCertificate apart. Unique identifiers (RFC 5280 4.1.2.8) are refused with everything else that does not
// belong there.
func parse(tbs []byte) (p parts, ok bool) {
	s := cryptobyte.String(tbs)
	var inner, version, list, extensions cryptobyte.String
	var hasVersion bool
	element := func(to *[]byte, tag cbasn1.Tag) bool {
		return inner.ReadASN1Element((*cryptobyte.String)(to), tag)
	}
	if !s.ReadASN1(&inner, cbasn1.SEQUENCE) || !s.Empty() || !inner.ReadOptionalASN1(&version, &hasVersion, explicit0) {
		return p, false
	}
	if hasVersion && (!version.ReadASN1Integer(&p.version) || !version.Empty()) {
		return p, false
	}
	if !element(&p.serial, cbasn1.INTEGER) || !element(&p.algorithm, cbasn1.SEQUENCE) || !element(&p.issuer, cbasn1.SEQUENCE) ||
		!element(&p.validity, cbasn1.SEQUENCE) || !element(&p.subject, cbasn1.SEQUENCE) || !element(&p.spki, cbasn1.SEQUENCE) {
		return p, false
	}
	if !inner.ReadASN1(&list, explicit3) || !inner.Empty() || !list.ReadASN1(&extensions, cbasn1.SEQUENCE) || !list.Empty() {
		return p, false
	}
	for !extensions.Empty() {
		var e extension
		var one, value cryptobyte.String
		if len(p.extensions) == maxExtensions || !extensions.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&e.oid) ||
			one.PeekASN1Tag(cbasn1.BOOLEAN) && !one.ReadASN1Boolean(&e.critical) || !one.ReadASN1(&value, cbasn1.OCTET_STRING) || !one.Empty() {
			return p, false
		}
		e.value = value
		p.extensions = append(p.extensions, e)
	}
	return p, true
}

// tbs puts the pieces together again.
func (p parts) tbs() []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if p.version != 0 {
			b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddASN1Int64(p.version) })
		}
		for _, piece := range [][]byte{p.serial, p.algorithm, p.issuer, p.validity, p.subject, p.spki} {
			b.AddBytes(piece)
		}
		b.AddASN1(explicit3, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, e := range p.extensions {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(e.oid)
						if e.critical {
							b.AddASN1Boolean(true)
						}
						b.AddASN1OctetString(e.value)
					})
				}
			})
		})
	})
	der, err := b.Bytes()
	if err != nil {
		return nil // an OID that parse accepted can always be written again
	}
	return der
}

// certificate is the certificate with a placeholder for its signature, which SBR 4.3.1.2 suggests for lint.
func (p parts) certificate() []byte {
	der, err := profile.Assemble(p.tbs(), p.placeholder())
	if err != nil {
		return nil
	}
	return der
}

// placeholder stands where the signature will be: well-formed, of the length that the algorithm gives (zlint guesses the
// issuer's curve from it), and holding under no key.
func (p parts) placeholder() []byte {
	size := map[string]int{"300a06082a8648ce3d040302": 32, "300a06082a8648ce3d040303": 48, "300a06082a8648ce3d040304": 66}[hex.EncodeToString(p.algorithm)]
	if size == 0 {
		return make([]byte, 256) // RSA
	}
	number := new(big.Int).Lsh(big.NewInt(1), uint(8*size-2))
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(number)
		b.AddASN1BigInt(number)
	})
	return b.BytesOrPanic()
}

var oidCertificatePolicies = asn1.ObjectIdentifier{2, 5, 29, 32}

// twin is the same certificate with the reserved policy OID of its type added.
func (p parts) twin(t profile.Type, g profile.Generation) parts {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(profile.ReservedPolicy(t, g))
	})
	added, err := b.Bytes()
	if err != nil {
		return p // no such type; checkOwn says so
	}
	extensions := make([]extension, 0, len(p.extensions)+1)
	found := false
	for _, e := range p.extensions {
		if e.oid.Equal(oidCertificatePolicies) {
			if s, list := cryptobyte.String(e.value), cryptobyte.String(nil); s.ReadASN1(&list, cbasn1.SEQUENCE) {
				e.value, found = sequenceOf(added, list), true
			}
		}
		extensions = append(extensions, e)
	}
	if !found {
		extensions = append(extensions, extension{oidCertificatePolicies, false, sequenceOf(added)})
	}
	p.extensions = extensions
	return p
}

func sequenceOf(pieces ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, piece := range pieces {
			b.AddBytes(piece)
		}
	})
	return b.BytesOrPanic()
}
