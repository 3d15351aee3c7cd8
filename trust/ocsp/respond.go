package ocsp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"time"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"chancery.example/fault"
)

var (
	oidBasic = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}

	oidSHA256WithRSA   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidECDSAWithSHA256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidECDSAWithSHA384 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
	oidECDSAWithSHA512 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}
	oidEd25519         = asn1.ObjectIdentifier{1, 3, 101, 112}
)

// Responder signs answers for one issuer. It keeps nothing between calls and may be used by many at once, if its
// Signer may.
type Responder struct {
	// Issuer is the CA whose certificates are answered for.
	Issuer *x509.Certificate
	// Certificate is the delegated responder's (RFC 6960 4.2.2.2), which goes along with every answer, or Issuer
	// itself, which does not.
	Certificate *x509.Certificate
	// Signer has the private key of Certificate: RSA, P-256, P-384, P-521 or Ed25519.
	Signer crypto.Signer
}

// Respond signs one response with all answers (RFC 6960 4.2.1), the responder named by its key, as
// RFC 9919 3.2.2 wants. nonce is the
// request's, to be echoed, or nil. RFC 9919 3.2.4 demands a NextUpdate in every answer. Times are written in seconds.
func (r *Responder) Respond(producedAt time.Time, nonce []byte, answers ...SingleResponse) ([]byte, error) {
	if len(answers) == 0 || len(answers) > MaxIDs || len(nonce) > MaxNonce {
		return nil, fault.New(fault.Internal, "ocsp.respond", "An OCSP response has 1 to %d answers and a nonce of %d octets at most.", MaxIDs, MaxNonce)
	}
	key, err := publicKeyBits(r.Certificate.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, err
	}
	algorithm, hash, err := signing(r.Signer.Public())
	if err != nil {
		return nil, err
	}
	var tbs cryptobyte.Builder
	tbs.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(explicit2, func(b *cryptobyte.Builder) { b.AddASN1OctetString(sum(crypto.SHA1, key)) })
		b.AddASN1GeneralizedTime(producedAt.UTC())
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, a := range answers {
				addSingle(b, a)
			}
		})
		addNonce(b, explicit1, nonce)
	})
	data, err := tbs.Bytes()
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "ocsp.respond", "The OCSP response could not be written.")
	}
	digest := data
	if hash != 0 {
		digest = sum(hash, data)
	}
	signature, err := r.Signer.Sign(rand.Reader, digest, hash)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "ocsp.sign", "The OCSP response could not be signed just now.")
	}
	return r.frame(data, algorithm, signature)
}

// frame puts BasicOCSPResponse into OCSPResponse.
func (r *Responder) frame(tbs, algorithm, signature []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Enum(int64(Successful))
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidBasic)
				b.AddASN1(casn1.OCTET_STRING, func(b *cryptobyte.Builder) {
					b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddBytes(tbs)
						b.AddBytes(algorithm)
						b.AddASN1BitString(signature)
						if r.Certificate != r.Issuer && !r.Certificate.Equal(r.Issuer) {
							b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
								b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(r.Certificate.Raw) })
							})
						}
					})
				})
			})
		})
	})
	return b.Bytes()
}

func addSingle(b *cryptobyte.Builder, a SingleResponse) {
	if !a.ID.writable() {
		b.SetError(fault.New(fault.Internal, "ocsp.respond", "An OCSP answer names a certificate without serial number or hash."))
		return
	}
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addCertID(b, a.ID)
		switch a.Status {
		case Good:
			b.AddASN1(casn1.Tag(0).ContextSpecific(), func(*cryptobyte.Builder) {})
		case Revoked:
			b.AddASN1(explicit1, func(b *cryptobyte.Builder) {
				b.AddASN1GeneralizedTime(a.RevokedAt.UTC())
				if a.Reason != Unspecified {
					b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(a.Reason)) })
				}
			})
		default:
			b.AddASN1(casn1.Tag(2).ContextSpecific(), func(*cryptobyte.Builder) {})
		}
		b.AddASN1GeneralizedTime(a.ThisUpdate.UTC())
		if !a.NextUpdate.IsZero() {
			b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(a.NextUpdate.UTC()) })
		}
	})
}

// signing picks the AlgorithmIdentifier and hash for a key, the hash bound to the curve as SBR 7.1.3.2.2 asks.
// A hash of 0 means that the key signs the message itself.
func signing(public crypto.PublicKey) (algorithm []byte, hash crypto.Hash, err error) {
	var oid asn1.ObjectIdentifier
	null := false
	switch k := public.(type) {
	case *rsa.PublicKey:
		oid, hash, null = oidSHA256WithRSA, crypto.SHA256, true
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			oid, hash = oidECDSAWithSHA256, crypto.SHA256
		case elliptic.P384():
			oid, hash = oidECDSAWithSHA384, crypto.SHA384
		case elliptic.P521():
			oid, hash = oidECDSAWithSHA512, crypto.SHA512
		}
	case ed25519.PublicKey:
		oid = oidEd25519
	}
	if oid == nil {
		return nil, 0, fault.New(fault.Invalid, "ocsp.key", "OCSP responses are signed with RSA, P-256, P-384, P-521 or Ed25519 keys.")
	}
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		if null {
			b.AddASN1NULL()
		}
	})
	algorithm, err = b.Bytes()
	return algorithm, hash, err
}

// ErrorResponse is the unsigned response with that status (RFC 6960 2.3). RFC 9919 3.2.3 wants Unauthorized for
// certificates that the responder has no records of.
func ErrorResponse(status ErrorStatus) []byte {
	return []byte{0x30, 0x03, 0x0a, 0x01, byte(status)}
}
