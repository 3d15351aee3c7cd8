package cli

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"chancery.example/cms"
	"chancery.example/smime"
	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// finding is one node of what inspect found: what it is, what it says, and what is inside.
type finding struct {
	Kind  string
	Facts []fact
	Parts []*finding
}

type fact struct{ name, value string }

// add notes a fact; an empty one is none.
func (f *finding) add(name, value string) {
	if value != "" {
		f.Facts = append(f.Facts, fact{name, value})
	}
}

// MarshalJSON gives {"kind": …, "facts": {…}, "parts": […]}. A name that stands several times becomes a list.
func (f *finding) MarshalJSON() ([]byte, error) {
	facts := map[string]any{}
	for _, one := range f.Facts {
		switch before := facts[one.name].(type) {
		case nil:
			facts[one.name] = one.value
		case string:
			facts[one.name] = []string{before, one.value}
		case []string:
			facts[one.name] = append(before, one.value)
		}
	}
	parts := f.Parts
	if parts == nil {
		parts = []*finding{}
	}
	return json.Marshal(struct {
		Kind  string         `json:"kind"`
		Facts map[string]any `json:"facts"`
		Parts []*finding     `json:"parts"`
	}{f.Kind, facts, parts})
}

// write draws the tree.
func (f *finding) write(out io.Writer) error {
	var text strings.Builder
	f.draw(&text, "", "")
	_, err := io.WriteString(out, text.String())
	return err
}

func (f *finding) draw(text *strings.Builder, first, rest string) {
	fmt.Fprintf(text, "%s%s\n", first, printable(f.Kind))
	bar := "  "
	if len(f.Parts) > 0 {
		bar = "│ "
	}
	for _, one := range f.Facts {
		fmt.Fprintf(text, "%s%s%-12s %s\n", rest, bar, one.name, printable(one.value))
	}
	for i, part := range f.Parts {
		if i == len(f.Parts)-1 {
			part.draw(text, rest+"└─", rest+"  ")
		} else {
			part.draw(text, rest+"├─", rest+"│ ")
		}
	}
}

// isCMS recognises ContentInfo: SEQUENCE { OBJECT IDENTIFIER, … }, RFC 5652 3.
func isCMS(start []byte) bool {
	if len(start) < 3 || start[0] != 0x30 {
		return false
	}
	header := 2
	if start[1] > 0x80 {
		header += int(start[1] & 0x7f)
	}
	return len(start) > header && start[header] == 0x06
}

func isPEMOfCMS(start []byte) bool {
	_, label, _ := strings.Cut(string(start), "-----BEGIN ")
	return strings.HasPrefix(label, "CMS-----") || strings.HasPrefix(label, "PKCS7-----") || strings.HasPrefix(label, "PKCS #7 SIGNED DATA-----")
}

// der tells what a DER file of unknown kind is.
func (c *inspectCmd) der(console *Console, data []byte) (*finding, error) {
	if isCMS(data) {
		part, err := smime.DescribeCMS(console.Ctx, bytes.NewReader(data), cms.Limits{})
		if err != nil {
			return nil, err
		}
		return cmsFinding(part), nil
	}
	input := cryptobyte.String(data)
	var version int
	isP12 := input.ReadASN1(&input, casn1.SEQUENCE) && input.ReadASN1Integer(&version) && version == 3 && isCMS(input)
	switch {
	case isP12:
		return c.p12(console, data)
	case isEncryptedKey(data):
		return &finding{Kind: "private key", Facts: []fact{{"sealed", "with a passphrase"}}}, nil
	}
	if cert, err := x509.ParseCertificate(data); err == nil {
		return certificateFinding(cert), nil
	}
	if request, err := x509.ParseCertificateRequest(data); err == nil {
		return requestFinding(request), nil
	}
	if list, err := x509.ParseRevocationList(data); err == nil {
		return crlFinding(list), nil
	}
	if key := parseKey(data); key != nil {
		return &finding{Kind: "private key", Facts: []fact{{"key", keyWords(key)}}}, nil
	}
	return nil, errUnknownFile()
}

func certificateFinding(cert *x509.Certificate) *finding {
	f := &finding{Kind: "certificate"}
	f.add("subject", cert.Subject.String())
	f.add("issuer", cert.Issuer.String())
	f.add("serial", cert.SerialNumber.Text(16))
	f.add("valid", period(cert.NotBefore, cert.NotAfter))
	f.add("key", keyWords(cert.PublicKey))
	f.add("signature", cert.SignatureAlgorithm.String())
	for _, address := range smime.Addresses(cert) {
		f.add("address", address)
	}
	if cert.IsCA {
		f.add("authority", "yes")
	}
	f.add("key usage", strings.Join(keyUsages(cert.KeyUsage), ", "))
	for _, usage := range cert.ExtKeyUsage {
		f.add("for", extUsageWords(usage))
	}
	for _, usage := range cert.UnknownExtKeyUsage {
		f.add("for", usage.String())
	}
	for _, policy := range cert.Policies {
		f.add("policy", policy.String())
	}
	for _, url := range cert.CRLDistributionPoints {
		f.add("crl", url)
	}
	for _, url := range cert.OCSPServer {
		f.add("ocsp", url)
	}
	for _, url := range cert.IssuingCertificateURL {
		f.add("issuer at", url)
	}
	f.add("key id", hex.EncodeToString(cert.SubjectKeyId))
	print := sha256.Sum256(cert.Raw)
	f.add("sha256", hex.EncodeToString(print[:]))
	return f
}

func requestFinding(request *x509.CertificateRequest) *finding {
	f := &finding{Kind: "certificate request"}
	f.add("subject", request.Subject.String())
	f.add("key", keyWords(request.PublicKey))
	f.add("signature", request.SignatureAlgorithm.String())
	f.add("possession", map[bool]string{true: "proved", false: "not proved: the request's signature does not hold"}[request.CheckSignature() == nil])
	for _, address := range request.EmailAddresses {
		f.add("address", address)
	}
	return f
}

func crlFinding(list *x509.RevocationList) *finding {
	f := &finding{Kind: "CRL"}
	f.add("issuer", list.Issuer.String())
	if list.Number != nil {
		f.add("number", list.Number.String())
	}
	f.add("valid", period(list.ThisUpdate, list.NextUpdate))
	f.add("signature", list.SignatureAlgorithm.String())
	f.add("revoked", fmt.Sprint(len(list.RevokedCertificateEntries)))
	return f
}

// mailFinding is a mail or a part of one.
func mailFinding(part *smime.Part) *finding {
	f := cmsFinding(part)
	words := "mail"
	if len(part.Fields) == 0 {
		words = "part"
	}
	f.Kind = words + " " + part.Type
	var facts []fact
	for _, field := range part.Fields {
		if field.Is("From") || field.Is("Sender") || field.Is("To") || field.Is("Cc") || field.Is("Subject") || field.Is("Date") {
			facts = append(facts, fact{strings.ToLower(field.Name), field.Value()})
		}
	}
	f.Facts = append(facts, f.Facts...)
	f.add("name", part.Name)
	if part.CMS == nil && len(part.Parts) == 0 {
		f.add("encoding", part.Encoding)
		f.add("octets", fmt.Sprint(part.Octets))
	}
	f.add("damage", part.Damage)
	return f
}

// cmsFinding is what CMS says, with its signers, recipients and certificates.
func cmsFinding(part *smime.Part) *finding {
	f := &finding{Kind: "CMS"}
	for _, inner := range part.Parts {
		f.Parts = append(f.Parts, mailFinding(inner))
	}
	describeCMS(f, part.CMS)
	return f
}

func describeCMS(f *finding, d *cms.Description) {
	if d == nil {
		return
	}
	f.Kind = "CMS " + d.Type.Name()
	f.add("cms", d.Type.Name())
	f.add("content", fmt.Sprintf("%s, %d octets", d.ContentType.Name(), d.ContentBytes))
	if d.Detached {
		f.Facts[len(f.Facts)-1].value = d.ContentType.Name() + ", beside the signature"
	}
	if d.Cipher != nil {
		f.add("cipher", d.Cipher.Name())
	}
	for _, recipient := range d.Recipients {
		f.add("recipient", entityWords(recipient.Recipient)+", "+string(recipient.Kind)+" "+recipient.KeyEncryption.Name())
	}
	for _, signer := range d.Signers {
		part := &finding{Kind: "signer"}
		part.add("named by", entityWords(signer.Signer))
		part.add("digest", signer.DigestAlgorithm.Name())
		part.add("signature", signer.SignatureAlgorithm.Name())
		if !signer.SigningTime.IsZero() {
			part.add("claims", "signed at "+signer.SigningTime.UTC().Format(time.RFC3339))
		}
		for _, capability := range signer.Capabilities {
			part.add("reads", capability.Name())
		}
		f.Parts = append(f.Parts, part)
	}
	for _, cert := range d.Certificates {
		f.Parts = append(f.Parts, certificateFinding(cert))
	}
	for _, der := range d.CRLs {
		if list, err := x509.ParseRevocationList(der); err == nil {
			f.Parts = append(f.Parts, crlFinding(list))
		}
	}
	if d.Content != nil {
		inner := &finding{}
		describeCMS(inner, d.Content)
		f.Parts = append(f.Parts, inner)
	}
}

func entityWords(id cms.EntityIdentifier) string {
	if id.Serial == nil {
		if len(id.KeyID) == 0 {
			return "nobody by name"
		}
		return "key id " + hex.EncodeToString(id.KeyID)
	}
	issuer := "an issuer that cannot be read"
	if name, err := parseName(id.Issuer); err == nil {
		issuer = name
	}
	return "serial " + id.Serial.Text(16) + " of " + issuer
}

func period(from, to time.Time) string {
	return from.UTC().Format(time.RFC3339) + " to " + to.UTC().Format(time.RFC3339)
}

// keyWords names a public or private key's algorithm and size.
func keyWords(key any) string {
	if private, isPrivate := key.(crypto.Signer); isPrivate {
		key = private.Public()
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	case *ecdh.PublicKey, *ecdh.PrivateKey:
		return "X25519"
	}
	return "of an algorithm that is not known here"
}

func keyUsages(usage x509.KeyUsage) []string {
	names := []string{"digitalSignature", "contentCommitment", "keyEncipherment", "dataEncipherment", "keyAgreement",
		"keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"}
	var set []string
	for i, name := range names {
		if usage&(1<<i) != 0 {
			set = append(set, name)
		}
	}
	return set
}

func extUsageWords(usage x509.ExtKeyUsage) string {
	switch usage {
	case x509.ExtKeyUsageAny:
		return "any use"
	case x509.ExtKeyUsageEmailProtection:
		return "mail"
	case x509.ExtKeyUsageClientAuth:
		return "TLS clients"
	case x509.ExtKeyUsageServerAuth:
		return "TLS servers"
	case x509.ExtKeyUsageOCSPSigning:
		return "OCSP answers"
	case x509.ExtKeyUsageCodeSigning:
		return "code"
	case x509.ExtKeyUsageTimeStamping:
		return "timestamps"
	}
	return "another use"
}

// parseName is a distinguished name in text.
func parseName(der []byte) (string, error) {
	var sequence pkix.RDNSequence
	if _, err := asn1.Unmarshal(der, &sequence); err != nil {
		return "", err
	}
	return sequence.String(), nil
}
