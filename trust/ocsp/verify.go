package ocsp

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"time"

	"chancery.example/fault"
)

var oidNoCheck = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}

// NoCheck reports whether a responder's certificate says that it need not be checked for revocation
// (id-pkix-ocsp-nocheck, RFC 6960 4.2.2.2.1).
func NoCheck(responder *x509.Certificate) bool {
	return slices.ContainsFunc(responder.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidNoCheck) })
}

// Verify checks that the response is signed by issuer itself, or by a responder that carries id-kp-OCSPSigning, was
// certified by the very key of issuer, and is valid at that time (RFC 6960 4.2.2.2). It returns the signer's
// certificate. Whether that is revoked itself, when it does not say [NoCheck], is the caller's to ask; so are the
// freshness of the answers and the nonce.
func (r *Response) Verify(issuer *x509.Certificate, at time.Time) (*x509.Certificate, error) {
	if r.Error != Successful {
		return nil, fault.New(fault.Unavailable, "ocsp.error-status", "The OCSP responder answered with an error instead of a status.")
	}
	if r.algorithm == x509.UnknownSignatureAlgorithm {
		return nil, fault.New(fault.Invalid, "ocsp.algorithm", "The OCSP response is signed with an algorithm that is unknown or too weak.")
	}
	var last error
	for _, signer := range append([]*x509.Certificate{issuer}, r.Certificates...) {
		if !r.names(signer) {
			continue
		}
		if last = authorised(signer, issuer, at); last != nil {
			continue
		}
		if err := signer.CheckSignature(r.algorithm, r.tbs, r.signature); err != nil {
			last = fault.Wrap(err, fault.Invalid, "ocsp.signature", "The signature of the OCSP response does not hold.")
			continue
		}
		return signer, nil
	}
	if last == nil {
		last = fault.New(fault.Invalid, "ocsp.responder", "The OCSP response names a responder whose certificate is not with it.")
	}
	return nil, last
}

// names reports whether the ResponderID is that certificate's.
func (r *Response) names(cert *x509.Certificate) bool {
	if r.responderName != nil {
		return bytes.Equal(r.responderName, cert.RawSubject)
	}
	key, err := publicKeyBits(cert.RawSubjectPublicKeyInfo)
	return err == nil && bytes.Equal(r.responderKey, sum(crypto.SHA1, key))
}

// authorised checks that signer may answer for issuer.
func authorised(signer, issuer *x509.Certificate, at time.Time) error {
	if bytes.Equal(signer.RawSubject, issuer.RawSubject) && bytes.Equal(signer.RawSubjectPublicKeyInfo, issuer.RawSubjectPublicKeyInfo) {
		return nil
	}
	refuse := func(why string) error {
		return fault.New(fault.Invalid, "ocsp.responder", "The OCSP responder may not answer for this issuer: %s.", why)
	}
	switch {
	case !bytes.Equal(signer.RawIssuer, issuer.RawSubject):
		return refuse("its certificate is from another issuer")
	case !slices.Contains(signer.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return refuse("its certificate is not for OCSP signing")
	case signer.KeyUsage != 0 && signer.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0:
		return refuse("its certificate is not for signatures")
	case at.Before(signer.NotBefore) || at.After(signer.NotAfter):
		return refuse("its certificate is not valid at this time")
	case len(signer.UnhandledCriticalExtensions) > 0:
		return refuse("its certificate has a critical extension that is not known here")
	case weak(signer.SignatureAlgorithm):
		return refuse("its certificate is signed with a weak algorithm")
	}
	if err := issuer.CheckSignature(signer.SignatureAlgorithm, signer.RawTBSCertificate, signer.Signature); err != nil {
		return fault.Wrap(err, fault.Invalid, "ocsp.responder", "The OCSP responder may not answer for this issuer: the signature of its certificate does not hold.")
	}
	return nil
}

func weak(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.PureEd25519:
		return false
	}
	return true
}
