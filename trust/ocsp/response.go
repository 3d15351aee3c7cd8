package ocsp

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"time"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"chancery.example/fault"
)

// ParseResponse reads a response in DER (RFC 6960 4.2.1). It says nothing about its truth: see [Response.Verify].
func ParseResponse(der []byte) (*Response, error) {
	if len(der) > MaxResponse {
		return nil, fault.New(fault.TooLarge, "ocsp.too-large", "An OCSP response may have %d octets at most.", MaxResponse)
	}
	s := cryptobyte.String(der)
	var outer, wrapped, bytesSeq, basic cryptobyte.String
	var status int
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1(&outer, casn1.SEQUENCE) || !s.Empty() || !outer.ReadASN1Enum(&status) || status < 0 || status > int(Unauthorized) || status == 4 {
		return nil, malformed("its frame is broken")
	}
	r := &Response{Error: ErrorStatus(status)}
	if r.Error != Successful {
		if !outer.Empty() {
			return nil, malformed("an error comes with an answer")
		}
		return r, nil
	}
	if !outer.ReadASN1(&wrapped, explicit0) || !outer.Empty() || !wrapped.ReadASN1(&bytesSeq, casn1.SEQUENCE) || !wrapped.Empty() ||
		!bytesSeq.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidBasic) || !bytesSeq.ReadASN1(&basic, casn1.OCTET_STRING) || !bytesSeq.Empty() {
		return nil, malformed("it holds no basic response")
	}
	if err := r.readBasic(basic); err != nil {
		return nil, err
	}
	return r, nil
}

// readBasic reads BasicOCSPResponse.
func (r *Response) readBasic(s cryptobyte.String) error {
	var basic, tbs, data, algorithm cryptobyte.String
	var signature asn1.BitString
	if !s.ReadASN1(&basic, casn1.SEQUENCE) || !s.Empty() || !basic.ReadASN1Element(&tbs, casn1.SEQUENCE) ||
		!basic.ReadASN1Element(&algorithm, casn1.SEQUENCE) || !basic.ReadASN1BitString(&signature) {
		return malformed("its signature is broken")
	}
	r.tbs, r.signature, r.algorithm = tbs, signature.RightAlign(), signatureAlgorithm(algorithm)
	var wrapped, certs cryptobyte.String
	var present bool
	if !basic.ReadOptionalASN1(&wrapped, &present, explicit0) || !basic.Empty() {
		return malformed("its certificates are broken")
	}
	if present {
		if !wrapped.ReadASN1(&certs, casn1.SEQUENCE) || !wrapped.Empty() {
			return malformed("its certificates are broken")
		}
		for !certs.Empty() {
			var der cryptobyte.String
			if len(r.Certificates) == maxCerts || !certs.ReadASN1Element(&der, casn1.SEQUENCE) {
				return malformed("its certificates are broken or too many")
			}
			cert, err := x509.ParseCertificate(der)
			if err != nil {
				return fault.Wrap(err, fault.Invalid, "ocsp.malformed", "The OCSP response carries a certificate that cannot be read.")
			}
			r.Certificates = append(r.Certificates, cert)
		}
	}
	if !tbs.ReadASN1(&data, casn1.SEQUENCE) {
		return malformed("its data is broken")
	}
	return r.readData(data)
}

// readData reads the content of ResponseData.
func (r *Response) readData(s cryptobyte.String) error {
	if !readVersion(&s) {
		return malformed("its version is unknown")
	}
	var id, list cryptobyte.String
	var tag casn1.Tag
	if !s.ReadAnyASN1(&id, &tag) {
		return malformed("its responder is not named")
	}
	switch tag {
	case explicit1:
		var name cryptobyte.String
		if !id.ReadASN1Element(&name, casn1.SEQUENCE) || !id.Empty() {
			return malformed("its responder is not named properly")
		}
		r.responderName = name
	case explicit2:
		var key cryptobyte.String
		if !id.ReadASN1(&key, casn1.OCTET_STRING) || !id.Empty() || len(key) != crypto.SHA1.Size() {
			return malformed("its responder is not named properly")
		}
		r.responderKey = key
	default:
		return malformed("its responder is not named properly")
	}
	if !s.ReadASN1GeneralizedTime(&r.ProducedAt) || !s.ReadASN1(&list, casn1.SEQUENCE) {
		return malformed("its time or list of answers is broken")
	}
	for !list.Empty() {
		if len(r.Responses) == MaxIDs {
			return fault.New(fault.TooLarge, "ocsp.too-large", "An OCSP response may answer for %d certificates at most.", MaxIDs)
		}
		single, err := readSingle(&list)
		if err != nil {
			return err
		}
		r.Responses = append(r.Responses, single)
	}
	if err := readExtensions(&s, explicit1, &r.Nonce); err != nil {
		return err
	}
	if len(r.Responses) == 0 || !s.Empty() {
		return malformed("it answers for no certificate, or something follows")
	}
	return nil
}

func readSingle(list *cryptobyte.String) (a SingleResponse, err error) {
	var s, status cryptobyte.String
	var tag casn1.Tag
	if !list.ReadASN1(&s, casn1.SEQUENCE) || !readCertID(&s, &a.ID) || !s.ReadAnyASN1(&status, &tag) {
		return a, malformed("an answer is broken")
	}
	switch tag {
	case casn1.Tag(0).ContextSpecific():
		a.Status = Good
	case explicit1:
		a.Status = Revoked
		if !status.ReadASN1GeneralizedTime(&a.RevokedAt) || !readReason(&status, &a.Reason) {
			return a, malformed("a revocation is broken")
		}
	case casn1.Tag(2).ContextSpecific():
		a.Status = Unknown
	default:
		return a, malformed("an answer is neither good, revoked nor unknown")
	}
	if !status.Empty() || !s.ReadASN1GeneralizedTime(&a.ThisUpdate) || !readOptionalTime(&s, &a.NextUpdate) {
		return a, malformed("the times of an answer are broken")
	}
	if err := readExtensions(&s, explicit1, nil); err != nil {
		return a, err
	}
	if !s.Empty() {
		return a, malformed("something follows an answer")
	}
	return a, nil
}

func readReason(s *cryptobyte.String, reason *Reason) bool {
	var wrapped cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&wrapped, &present, explicit0) {
		return false
	}
	var n int
	if present && (!wrapped.ReadASN1Enum(&n) || !wrapped.Empty() || n < 0 || n > int(AACompromise)) {
		return false
	}
	*reason = Reason(n)
	return true
}

func readOptionalTime(s *cryptobyte.String, t *time.Time) bool {
	var wrapped cryptobyte.String
	var present bool
	return s.ReadOptionalASN1(&wrapped, &present, explicit0) && (!present || wrapped.ReadASN1GeneralizedTime(t) && wrapped.Empty())
}

// signatureAlgorithm reads an AlgorithmIdentifier. What we do not know, or do not believe any more (SHA-1 and older),
// is x509.UnknownSignatureAlgorithm.
func signatureAlgorithm(der cryptobyte.String) x509.SignatureAlgorithm {
	var seq, params cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !der.ReadASN1(&seq, casn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&oid) {
		return x509.UnknownSignatureAlgorithm
	}
	switch oid.String() {
	case oidSHA256WithRSA.String():
		return x509.SHA256WithRSA
	case "1.2.840.113549.1.1.12":
		return x509.SHA384WithRSA
	case "1.2.840.113549.1.1.13":
		return x509.SHA512WithRSA
	case oidECDSAWithSHA256.String():
		return x509.ECDSAWithSHA256
	case oidECDSAWithSHA384.String():
		return x509.ECDSAWithSHA384
	case oidECDSAWithSHA512.String():
		return x509.ECDSAWithSHA512
	case oidEd25519.String():
		return x509.PureEd25519
	case "1.2.840.113549.1.1.10":
		if seq.ReadASN1Element(&params, casn1.SEQUENCE) {
			return pssAlgorithm(params)
		}
	}
	return x509.UnknownSignatureAlgorithm
}

// pssAlgorithm knows the three parameter sets of RFC 8017 A.2.3 that crypto/x509 verifies: MGF1 with the same hash,
// and a salt as long as the hash.
func pssAlgorithm(params []byte) x509.SignatureAlgorithm {
	for _, a := range []struct {
		last byte // of the hash's object identifier
		salt byte
		is   x509.SignatureAlgorithm
	}{{1, 32, x509.SHA256WithRSAPSS}, {2, 48, x509.SHA384WithRSAPSS}, {3, 64, x509.SHA512WithRSAPSS}} {
		hash := []byte{0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, a.last, 0x05, 0x00}
		mgf := append([]byte{0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08}, hash...)
		mgf[1] = byte(len(mgf) - 2)
		want := append([]byte{0xa0, byte(len(hash))}, hash...)
		want = append(append(want, 0xa1, byte(len(mgf))), mgf...)
		want = append(want, 0xa2, 0x03, 0x02, 0x01, a.salt)
		if bytes.Equal(params, append([]byte{0x30, byte(len(want))}, want...)) {
			return a.is
		}
	}
	return x509.UnknownSignatureAlgorithm
}
