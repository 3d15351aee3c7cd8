package cli

import (
	"crypto/rsa"
	"crypto/x509"
	"io"

	"chancery.example/cms"
	"chancery.example/fault"
	"chancery.example/smime"
)

type encryptCmd struct {
	To     []string `required:"" help:"A recipient's certificate, PEM or DER; once for each. Include your own, or you cannot read what you sent." placeholder:"FILE" sep:"none"`
	Cipher string   `enum:"auto,aes-256-gcm,aes-128-gcm,aes-256-cbc,aes-128-cbc" default:"auto" help:"auto: aes-256-gcm if every recipient's certificate says that it can be read, else aes-256-cbc, which everybody reads. One of ${enum}."`
	OAEP   bool     `name:"oaep" help:"Encrypt the key with RSAES-OAEP (RSA recipients only)."`
	protectFlags
	Outform string `enum:"smime,der,pem" default:"smime" help:"smime: a mail; der, pem: bare CMS with exactly the octets of IN."`
	In      string `arg:"" optional:"" help:"The mail, signed or not, or a MIME entity; standard input if left out."`
}

// Validate checks what tags cannot say.
func (c *encryptCmd) Validate() error { return c.protectFlags.check(c.Outform) }

// Run encrypts.
func (c *encryptCmd) Run(console *Console) error {
	opts := smime.EncryptOptions{ProtectHeaders: c.ProtectHeaders, LegacyDisplay: c.LegacyDisplay}
	if c.Cipher != "auto" {
		cipher, known := cms.ParseCipher(c.Cipher)
		if !known {
			return badUsage("there is no cipher %s", c.Cipher)
		}
		opts.Cipher = cipher
	}
	for _, path := range c.To {
		recipient, err := c.recipient(console, path)
		if err != nil {
			return err
		}
		opts.Recipients = append(opts.Recipients, recipient)
	}
	in, done, err := console.openInput(c.In)
	if err != nil {
		return err
	}
	defer done()
	if c.Outform == "smime" {
		return smime.Encrypt(console.Ctx, in, console.Stdout, opts)
	}
	return bare(console.Stdout, c.Outform, func(out io.Writer) error { return smime.EncryptCMS(console.Ctx, in, out, opts) })
}

// recipient is the certificate of a file that mail can be encrypted to. A file may bring its chain, or signing and
// encryption certificates of one person.
func (c *encryptCmd) recipient(console *Console, path string) (cms.Recipient, error) {
	certs, err := readCertificates(path)
	if err != nil {
		return cms.Recipient{}, err
	}
	var best *x509.Certificate
	now := console.Now()
	for _, cert := range certs {
		if smime.MayEncrypt(cert) && (!cert.IsCA || len(certs) == 1) && (best == nil || isBetter(cert, best, now)) {
			best = cert
		}
	}
	if best == nil {
		return cms.Recipient{}, fault.New(fault.Refused, "cli.no-encryption-certificate",
			"%s holds no certificate that allows encryption (key usage keyEncipherment or keyAgreement); ask the recipient for one that does", path)
	}
	if now.After(best.NotAfter) || now.Before(best.NotBefore) {
		console.Warn("warning: the certificate in %s is not valid today; ask the recipient for a new one", path)
	}
	_, isRSA := best.PublicKey.(*rsa.PublicKey)
	return cms.Recipient{Certificate: best, OAEP: c.OAEP && isRSA}, nil
}
