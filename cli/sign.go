package cli

import (
	"crypto"
	"crypto/x509"
	"io"
	"time"

	"chancery.example/cms"
	"chancery.example/fault"
	"chancery.example/smime"
)

type signCmd struct {
	identityFlags
	Intermediate []string `help:"Certificates to send along, so that the reader finds the way to the root." placeholder:"FILE" sep:"none"`
	Opaque       bool     `help:"Put the text inside the signature: it survives every relay, but only S/MIME programs show it."`
	PSS          bool     `name:"pss" help:"Sign with RSASSA-PSS (RSA keys only)."`
	Outform      string   `enum:"smime,der,pem" default:"smime" help:"smime: a mail; der, pem: bare CMS over exactly the octets of IN, beside it unless --opaque."`
	In           string   `arg:"" optional:"" help:"The mail, or a MIME entity; standard input if left out."`
}

// Validate checks what tags cannot say.
func (c *signCmd) Validate() error {
	if !c.given() {
		return badUsage("a key to sign with is missing: give --p12, or --cert and --key")
	}
	return c.identityFlags.Validate()
}

// Run signs.
func (c *signCmd) Run(console *Console) error {
	identities, err := c.load(console)
	if err != nil {
		return err
	}
	extra, err := readAllCertificates(c.Intermediate)
	if err != nil {
		return err
	}
	now := console.Now()
	own, err := pickSigner(identities, now)
	if err != nil {
		return err
	}
	if now.After(own.cert.NotAfter) || now.Before(own.cert.NotBefore) {
		console.Warn("warning: the certificate is not valid today; readers will not trust the signature")
	}
	opts := smime.SignOptions{
		Signers:      []cms.Signer{{Certificate: own.cert, Key: own.key.(crypto.Signer), PSS: c.PSS}},
		Certificates: append(own.chain, extra...), Opaque: c.Opaque, At: now,
	}
	in, done, err := console.openInput(c.In)
	if err != nil {
		return err
	}
	defer done()
	if c.Outform == "smime" {
		return smime.Sign(console.Ctx, in, console.Stdout, opts)
	}
	return bare(console.Stdout, c.Outform, func(out io.Writer) error { return smime.SignCMS(console.Ctx, in, out, opts) })
}

// pickSigner takes the identity that may sign, valid before not, newest first. One that may not is never taken: nobody
// would trust the signature.
func pickSigner(identities []identity, now time.Time) (identity, error) {
	var best identity
	for _, own := range identities {
		if _, canSign := own.key.(crypto.Signer); !canSign || !maySign(own.cert) {
			continue
		}
		if best.cert == nil || isBetter(own.cert, best.cert, now) {
			best = own
		}
	}
	if best.cert == nil {
		return best, fault.New(fault.Refused, "cli.no-signing-key",
			"none of the certificates allows signing mail (key usage digitalSignature, extended key usage emailProtection); give one that does")
	}
	return best, nil
}

func maySign(cert *x509.Certificate) bool {
	return (cert.KeyUsage == 0 || cert.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) != 0) && isForMail(cert)
}

// isForMail reports whether an extended key usage that is present allows mail (RFC 8550 4.4.4).
func isForMail(cert *x509.Certificate) bool {
	if len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) == 0 {
		return true
	}
	for _, usage := range cert.ExtKeyUsage {
		if usage == x509.ExtKeyUsageEmailProtection || usage == x509.ExtKeyUsageAny {
			return true
		}
	}
	return false
}

// isBetter compares two certificates of one person: valid before not, then newer before older.
func isBetter(a, b *x509.Certificate, now time.Time) bool {
	validA, validB := !now.Before(a.NotBefore) && !now.After(a.NotAfter), !now.Before(b.NotBefore) && !now.After(b.NotAfter)
	if validA != validB {
		return validA
	}
	return a.NotBefore.After(b.NotBefore)
}

// bare writes CMS without a mail around it.
func bare(out io.Writer, form string, write func(io.Writer) error) error {
	if form != "pem" {
		return write(out)
	}
	text := cms.NewPEMWriter(out)
	if err := write(text); err != nil {
		return err
	}
	return text.Close()
}
