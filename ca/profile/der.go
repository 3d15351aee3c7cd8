package profile

import (
	"crypto/sha256"
	"encoding/asn1"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Object identifiers of what the profiles contain.
var (
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidCountry      = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidOrganisation = asn1.ObjectIdentifier{2, 5, 4, 10}

	oidSubjectKeyIdentifier   = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage               = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidSubjectAltName         = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidBasicConstraints       = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidCRLDistributionPoints  = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidCertificatePolicies    = asn1.ObjectIdentifier{2, 5, 29, 32}
	oidAnyPolicy              = asn1.ObjectIdentifier{2, 5, 29, 32, 0}
	oidAuthorityKeyIdentifier = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidExtendedKeyUsage       = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidAuthorityInfoAccess    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	oidSMIMECapabilities      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 15}
	oidOCSPNoCheck            = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}

	oidClientAuth      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
	oidEmailProtection = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 4}
	oidOCSPSigning     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 9}

	oidOCSP             = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}
	oidCAIssuers        = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 2}
	oidSmtpUTF8Mailbox  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 9}
	oidAES128CBC        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}
	oidAES256CBC        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
	oidReservedPolicies = asn1.ObjectIdentifier{2, 23, 140} // the arc of the CA/Browser Forum
)

// keyUsage is the bits of RFC 5280 4.2.1.3, bit 0 lowest.
type keyUsage uint16

const (
	digitalSignature keyUsage = 1 << 0
	keyEncipherment  keyUsage = 1 << 2
	keyAgreement     keyUsage = 1 << 4
	keyCertSign      keyUsage = 1 << 5
	cRLSign          keyUsage = 1 << 6
)

// extension is one X.509 extension with its encoded value.
type extension struct {
	oid      asn1.ObjectIdentifier
	critical bool
	value    []byte
}

// certificate is what a TBSCertificate is made of (RFC 5280 4.1). Names, key and algorithm are DER.
type certificate struct {
	serial              *big.Int
	algorithm           []byte
	issuer, subject     []byte
	notBefore, notAfter time.Time
	spki                []byte
	extensions          []extension
}

// marshal encodes the TBSCertificate.
func (c certificate) marshal() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1Int64(2) }) // v3
		b.AddASN1BigInt(c.serial)
		b.AddBytes(c.algorithm)
		b.AddBytes(c.issuer)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addTime(b, c.notBefore)
			addTime(b, c.notAfter)
		})
		b.AddBytes(c.subject)
		b.AddBytes(c.spki)
		b.AddASN1(cbasn1.Tag(3).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, e := range c.extensions {
					addExtension(b, e)
				}
			})
		})
	})
	return b.Bytes()
}

// addTime writes UTCTime through 2049 and GeneralizedTime after (RFC 5280 4.1.2.5).
func addTime(b *cryptobyte.Builder, t time.Time) {
	t = t.UTC()
	if t.Year() < 2050 {
		b.AddASN1UTCTime(t)
		return
	}
	b.AddASN1GeneralizedTime(t)
}

func addExtension(b *cryptobyte.Builder, e extension) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(e.oid)
		if e.critical {
			b.AddASN1Boolean(true)
		}
		b.AddASN1OctetString(e.value)
	})
}

// encode runs a builder; what our own code hands it cannot fail but for an impossible OID or time, which marshal reports.
func encode(f func(*cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	f(&b)
	out, err := b.Bytes()
	if err != nil {
		return nil
	}
	return out
}

func sequence(f func(*cryptobyte.Builder)) []byte {
	return encode(func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, f) })
}

// attribute is one AttributeTypeAndValue, alone in its RDN.
type attribute struct {
	oid   asn1.ObjectIdentifier
	tag   cbasn1.Tag
	value string
}

// name encodes an RDNSequence.
func name(attributes ...attribute) []byte {
	return sequence(func(b *cryptobyte.Builder) {
		for _, a := range attributes {
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(a.oid)
					b.AddASN1(a.tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(a.value)) })
				})
			})
		}
	})
}

func keyUsageExtension(u keyUsage) extension {
	return extension{oidKeyUsage, true, encode(func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.BIT_STRING, u.addTo) })}
}

// addTo writes the named bit list without trailing zero bits (X.690 11.2.2).
func (u keyUsage) addTo(b *cryptobyte.Builder) {
	var octets [2]byte
	last := 0
	for i := range 9 {
		if u&(1<<i) != 0 {
			octets[i/8] |= 0x80 >> (i % 8)
			last = i
		}
	}
	b.AddUint8(uint8(7 - last%8))
	b.AddBytes(octets[:last/8+1])
}

func extendedKeyUsageExtension(purposes ...asn1.ObjectIdentifier) extension {
	return extension{oidExtendedKeyUsage, false, sequence(func(b *cryptobyte.Builder) {
		for _, p := range purposes {
			b.AddASN1ObjectIdentifier(p)
		}
	})}
}

func policiesExtension(policies ...asn1.ObjectIdentifier) extension {
	return extension{oidCertificatePolicies, false, sequence(func(b *cryptobyte.Builder) {
		for _, p := range policies {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(p) })
		}
	})}
}

func subjectKeyIdentifierExtension(id []byte) extension {
	return extension{oidSubjectKeyIdentifier, false, encode(func(b *cryptobyte.Builder) { b.AddASN1OctetString(id) })}
}

// authorityKeyIdentifierExtension names the issuer's key by its identifier only (SBR 7.1.2.3.g, BR-018).
func authorityKeyIdentifierExtension(id []byte) extension {
	return extension{oidAuthorityKeyIdentifier, false, sequence(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(id) })
	})}
}

// basicConstraintsExtension is that of a CA; pathLen below zero leaves it out.
func basicConstraintsExtension(pathLen int64) extension {
	return extension{oidBasicConstraints, true, sequence(func(b *cryptobyte.Builder) {
		b.AddASN1Boolean(true)
		if pathLen >= 0 {
			b.AddASN1Int64(pathLen)
		}
	})}
}

const uriTag = cbasn1.Tag(6)

// distributionPointsExtension puts all URLs into the one point that they all lead to.
func distributionPointsExtension(urls []string) extension {
	context := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	return extension{oidCRLDistributionPoints, false, sequence(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(context(0), func(b *cryptobyte.Builder) { // distributionPoint
				b.AddASN1(context(0), func(b *cryptobyte.Builder) { // fullName
					for _, u := range urls {
						b.AddASN1(uriTag.ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(u)) })
					}
				})
			})
		})
	})}
}

func authorityInfoAccessExtension(urls URLs) extension {
	return extension{oidAuthorityInfoAccess, false, sequence(func(b *cryptobyte.Builder) {
		add := func(method asn1.ObjectIdentifier, u string) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(method)
				b.AddASN1(uriTag.ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(u)) })
			})
		}
		for _, u := range urls.OCSP {
			add(oidOCSP, u)
		}
		for _, u := range urls.Issuer {
			add(oidCAIssuers, u)
		}
	})}
}

// capabilitiesExtension lists content ciphers in order of preference (RFC 4262, RFC 8551 2.5.2); the AES ones have no
// parameters (RFC 3565 4.1). Only CBC is claimed: senders take what is listed, and Thunderbird shows AES-GCM mail as blank.
func capabilitiesExtension() extension {
	return extension{oidSMIMECapabilities, false, sequence(func(b *cryptobyte.Builder) {
		for _, c := range []asn1.ObjectIdentifier{oidAES256CBC, oidAES128CBC} {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(c) })
		}
	})}
}

func noCheckExtension() extension {
	return extension{oidOCSPNoCheck, false, encode(func(b *cryptobyte.Builder) { b.AddASN1NULL() })}
}

// keyIdentifier is the leftmost 160 bits of the SHA-256 of the key's bit string (RFC 7093 2, method 1).
func keyIdentifier(spki []byte) ([]byte, bool) {
	var inner, algorithm, key cryptobyte.String
	var unused uint8
	s := cryptobyte.String(spki)
	if !s.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.ReadASN1(&algorithm, cbasn1.SEQUENCE) ||
		!inner.ReadASN1(&key, cbasn1.BIT_STRING) || !key.ReadUint8(&unused) || unused != 0 {
		return nil, false
	}
	sum := sha256.Sum256(key)
	return sum[:20], true
}
