package smime

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"io"
	"slices"

	"chancery.example/cms"
	"chancery.example/trust"
)

// judge judges every signer of one signature structure.
func (o *opener) judge(signed *cms.Signed, layer, within int, at place) error {
	if at.whole && layer < len(o.report.Layers) {
		o.report.Layers[layer].Signers = len(signed.Signers)
	}
	if len(signed.Signers) == 0 {
		o.unsignedShell = true
		return nil
	}
	if len(o.report.Signatures)+len(signed.Signers) > maxSignatures {
		return tooLarge("mail.signatures", "The mail has more than %d signatures.", maxSignatures)
	}
	crls := o.opts.CRLs
	if o.opts.Revocation != trust.Off {
		for _, der := range signed.CRLs {
			if crl, err := trust.ParseCRL(der); err == nil { // a damaged one tells nothing
				crls = append(slices.Clip(crls), crl)
			}
		}
	}
	for _, signer := range signed.Signers {
		o.add(o.signature(signed, signer, crls, at), within)
	}
	return nil
}

// signature judges one signer: the signature, the certificate's path, and the From address.
func (o *opener) signature(signed *cms.Signed, signer *cms.SignerInfo, crls []*trust.CRL, at place) Signature {
	s := Signature{
		Signer: describeEntity(signer.Signer), Addresses: []string{}, Chain: []ChainLink{}, Part: at.part,
		DigestAlgorithm: signer.DigestAlgorithm.Name(), SignatureAlgorithm: signer.SignatureAlgorithm.Name(),
		Revocation: Revocation{Status: string(trust.NotChecked)}, Capabilities: signer.Capabilities,
	}
	if !signer.SigningTime.IsZero() {
		s.SigningTime = &signer.SigningTime
	}
	if !at.whole {
		s.doubt(PartlySigned, "The signature covers only a part of what is shown.")
	}
	cert, result := o.signerCertificate(signed, signer)
	if cert == nil {
		s.doubt(SignerUnknown, "The signer's certificate is neither in the mail nor among those that were given.")
		return s
	}
	s.Signer, s.Addresses = cert.Subject.String(), append(s.Addresses, Addresses(cert)...)
	o.integrity(&s, signer.DigestAlgorithm.OID, result)
	path := trust.Evaluate(o.ctx, cert, trust.Options{
		Anchors: o.opts.Anchors, Intermediates: append(slices.Clip(o.opts.Intermediates), signed.Certificates...), CRLs: crls,
		At: o.opts.At, Revocation: o.opts.Revocation, Fetcher: o.opts.Fetcher, Memory: o.opts.Memory, Usage: trust.MailSigning,
	})
	for _, reason := range path.Reasons {
		s.doubt(string(reason.Code), reason.Text)
	}
	for _, link := range path.Chain {
		s.Chain = append(s.Chain, chainLink(link))
	}
	s.Revocation = revocationOf(path.Revocation)
	who, doubt := o.identify()
	switch {
	case who.Skip:
	case who.Doubt.Code != "":
		s.doubt(who.Doubt.Code, who.Doubt.Text)
	case !who.isSigner(s.Addresses):
		s.doubt(SignerMismatch, "The mail is from "+who.Address+", which is none of the signer's addresses.")
	}
	if doubt != nil {
		s.doubt(doubt.Code, doubt.Text)
	}
	return s
}

// signerCertificate finds the certificate that a signer means. Several may have the same identifier, so the one under
// which the signature holds is preferred.
func (o *opener) signerCertificate(signed *cms.Signed, signer *cms.SignerInfo) (*x509.Certificate, cms.SignatureResult) {
	var first *x509.Certificate
	var result cms.SignatureResult
	for _, known := range [][]*x509.Certificate{signed.Certificates, o.opts.Intermediates, o.opts.Anchors} {
		for _, cert := range known {
			if !signer.Matches(cert) {
				continue
			}
			checked := signer.Check(cert)
			if checked.Status != cms.Broken {
				return cert, checked
			}
			if first == nil {
				first, result = cert, checked
			}
		}
	}
	return first, result
}

// integrity notes what became of the signature itself.
func (o *opener) integrity(s *Signature, digest cms.OID, result cms.SignatureResult) {
	if result.Reason == cms.ReasonNoContent && slices.Contains(brokenDigests, digest) { // it is not even taken
		s.doubt(WeakAlgorithm, "The signature is by a digest algorithm that no longer proves anything.")
		return
	}
	switch result.Status {
	case cms.Intact:
	case cms.Weak:
		s.doubt(WeakAlgorithm, result.Text)
	case cms.Unknown:
		if result.Reason == cms.ReasonNoContent {
			o.digestMissed = true
			s.doubt(DigestNotTaken, "The mail announces another digest algorithm than the signer used.")
			return
		}
		s.doubt(UnknownAlgorithm, result.Text)
	default:
		if result.Reason == cms.ReasonContentChanged {
			s.doubt(ContentAltered, result.Text)
			return
		}
		s.doubt(BrokenSignature, result.Text)
	}
}

// brokenDigests are MD2, MD4, MD5 and SHA-1.
var brokenDigests = []cms.OID{"1.2.840.113549.2.2", "1.2.840.113549.2.4", "1.2.840.113549.2.5", "1.3.14.3.2.26"}

// invalidating are the reasons that make a signature invalid and not only untrusted.
var invalidating = []string{WeakAlgorithm, ContentAltered, BrokenSignature, MalformedSignature, TwoContents,
	MissingContent, string(trust.RevokedCode)}

// doubt adds a reason; the verdict follows from all of them, see add.
func (s *Signature) doubt(code, text string) {
	s.Reasons = append(s.Reasons, Reason{code, text})
}

// tarnish adds a doubt to a signature that was judged already, because of what was found beside it later.
func (s *Signature) tarnish(code, text string) {
	s.doubt(code, text)
	if s.Verdict == Valid {
		s.Verdict = Untrusted
	}
}

// add takes a judged signature into the report.
func (o *opener) add(s Signature, within int) {
	s.Verdict = Valid
	for _, reason := range s.Reasons {
		if slices.Contains(invalidating, reason.Code) {
			s.Verdict = Invalid
			break
		}
		s.Verdict = Untrusted
	}
	if s.Reasons == nil {
		s.Reasons = []Reason{}
	}
	o.report.Signatures = append(o.report.Signatures, s)
	o.within = append(o.within, within)
}

// broken takes in a signature that could not even be read.
func (o *opener) broken(code, text string, within int, at place) {
	s := Signature{Addresses: []string{}, Chain: []ChainLink{}, Part: at.part, Revocation: Revocation{Status: string(trust.NotChecked)}}
	s.doubt(code, text)
	o.add(s, within)
}

// finish draws the verdict from all that was found: a broken signature decides, else the best one.
func (o *opener) finish() (*Report, error) {
	if err := o.nothingOpened(); err != nil {
		return nil, err
	}
	r := o.report
	r.Verdict = Unsigned
	if o.unsignedShell && len(r.Signatures) == 0 {
		r.Reasons = []Reason{{NoSigner, "The mail has the form of a signed one, but nobody signed it."}}
	}
	rank := map[Verdict]int{Unsigned: 0, Untrusted: 1, Valid: 2, Invalid: 3}
	covered := false
	for i, s := range r.Signatures {
		better := rank[s.Verdict] > rank[r.Verdict] || s.Verdict == r.Verdict && len(s.Reasons) < len(r.Reasons)
		if better {
			r.Verdict, r.Reasons = s.Verdict, s.Reasons
		}
		covered = covered || s.Verdict == Valid && o.within[i] == o.encryptions // it stands inside of every encryption
	}
	o.signProtected(covered && r.Verdict == Valid)
	r.Authenticated = o.encryptions > 0 && o.aead || covered && r.Verdict == Valid
	return r, nil
}

// besideContent checks bare CMS whose content travels apart. It is digested as it is and with canonical line ends at
// once: signers of text use one or the other, and only one can match.
func (o *opener) besideContent(signature, content io.Reader) error {
	o.report.Layers = append(o.report.Layers, Layer{Type: "signed-data", Opened: true})
	der, err := io.ReadAll(io.LimitReader(signature, maxSignature+1))
	if err != nil {
		return err
	}
	if len(der) > maxSignature {
		return tooLarge("mail.signature", "The signature is larger than %d MiB.", maxSignature>>20)
	}
	hashes := o.hashesOf(der)
	exact, canonical := cms.NewDigester(hashes...), cms.NewDigester(hashes...)
	if _, err := io.Copy(io.MultiWriter(exact, &crlfWriter{w: canonical}), content); err != nil {
		return err
	}
	signed, err := o.verifyEither(der, canonical, exact)
	if err != nil {
		return err
	}
	return o.judge(signed, 0, 0, place{whole: true})
}

// digestOIDs are the digests that the cms package takes.
var digestOIDs = map[cms.OID]crypto.Hash{
	"2.16.840.1.101.3.4.2.1": crypto.SHA256, "2.16.840.1.101.3.4.2.2": crypto.SHA384, "2.16.840.1.101.3.4.2.3": crypto.SHA512,
	"2.16.840.1.101.3.4.2.8": crypto.SHA3_256, "2.16.840.1.101.3.4.2.9": crypto.SHA3_384, "2.16.840.1.101.3.4.2.10": crypto.SHA3_512,
}

// hashesOf are the digests that the signers of a detached signature used.
func (o *opener) hashesOf(der []byte) []crypto.Hash {
	var hashes []crypto.Hash
	if described, err := cms.Describe(bytes.NewReader(der), o.opts.Limits); err == nil {
		for _, signer := range described.Signers {
			if hash, known := digestOIDs[signer.DigestAlgorithm.OID]; known && !slices.Contains(hashes, hash) {
				hashes = append(hashes, hash)
			}
		}
	}
	if len(hashes) == 0 {
		return anyHashes(nil)
	}
	return hashes
}

func describeEntity(id cms.EntityIdentifier) string {
	if id.Serial == nil {
		return "key " + hex.EncodeToString(id.KeyID)
	}
	return "serial number " + id.Serial.Text(16)
}

func chainLink(cert *x509.Certificate) ChainLink {
	print := sha256.Sum256(cert.Raw)
	return ChainLink{
		Subject: cert.Subject.String(), Issuer: cert.Issuer.String(), Serial: cert.SerialNumber.Text(16),
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, SHA256: hex.EncodeToString(print[:]), DER: cert.Raw,
	}
}

func revocationOf(r trust.Revocation) Revocation {
	known := Revocation{Status: string(r.Status), Source: r.Source, Detail: r.Detail}
	if known.Status == "" {
		known.Status = string(trust.NotChecked)
	}
	if r.Status == trust.StatusRevoked {
		at, reason := r.RevokedAt, r.Reason
		known.RevokedAt, known.Reason = &at, &reason
	}
	return known
}
