package cli

import (
	"bufio"
	"bytes"
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
	protectFlags
	ThenEncrypt bool   `help:"With --protect-headers: the mail goes into chancery encrypt next, so the subject stands outside as [...]."`
	Outform     string `enum:"smime,der,pem" default:"smime" help:"smime: a mail; der, pem: bare CMS over exactly the octets of IN, beside it unless --opaque."`
	In          string `arg:"" optional:"" help:"The mail, or a MIME entity; standard input if left out."`
}

// Validate checks what tags cannot say.
func (c *signCmd) Validate() error {
	if !c.given() {
		return badUsage("a key to sign with is missing: give --p12, or --cert and --key")
	}
	if c.ThenEncrypt && !c.ProtectHeaders {
		return badUsage("--then-encrypt says how to protect headers; give --protect-headers too")
	}
	if err := c.protectFlags.check(c.Outform); err != nil {
		return err
	}
	return c.identityFlags.Validate()
}

// protectFlags say whether header fields are protected.
type protectFlags struct {
	ProtectHeaders bool `help:"Protect From, Subject and the other fields too (RFC 9788), and hide the subject of an encrypted mail."`
	LegacyDisplay  bool `help:"With hidden fields: repeat the subject at the top of the text, for mail programs that do not know RFC 9788."`
}

func (f protectFlags) check(outform string) error {
	switch {
	case f.LegacyDisplay && !f.ProtectHeaders:
		return badUsage("--legacy-display repeats what --protect-headers hides; give both")
	case f.ProtectHeaders && outform != "smime":
		return badUsage("bare CMS has no header to protect: leave --outform or --protect-headers out")
	}
	return nil
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
	in, done, err := console.openInput(c.In)
	if err != nil {
		return err
	}
	defer done()
	now := console.Now()
	var header *smime.Header
	if c.Outform == "smime" {
		in, header = peekHeader(in)
	}
	own, err := pickSigner(identities, header, now)
	if err != nil {
		return err
	}
	if header != nil {
		if reason := smime.CheckFrom(header, own.cert); reason != nil && reason.Code != smime.NoFrom { // an entity gets its From later
			console.Warn("warning: readers will not trust the signature: %s", printable(reason.Text))
		}
	}
	if now.After(own.cert.NotAfter) || now.Before(own.cert.NotBefore) {
		console.Warn("warning: the certificate is not valid today; readers will not trust the signature")
	}
	opts := smime.SignOptions{
		Signers:      []cms.Signer{{Certificate: own.cert, Key: own.key.(crypto.Signer), PSS: c.PSS}},
		Certificates: append(own.chain, extra...), Opaque: c.Opaque, At: now,
		LegacyDisplay: c.LegacyDisplay,
	}
	switch {
	case c.ThenEncrypt:
		opts.Headers = smime.HeadersHidden
	case c.ProtectHeaders:
		opts.Headers = smime.HeadersSigned
	}
	if c.Outform == "smime" {
		return smime.Sign(console.Ctx, in, console.Stdout, opts)
	}
	return bare(console.Stdout, c.Outform, func(out io.Writer) error { return smime.SignCMS(console.Ctx, in, out, opts) })
}

// pickSigner takes the identity that may sign: that of the From address first, valid before not, newest first. One
// that may not is never taken: nobody would trust the signature. The header may be nil.
func pickSigner(identities []identity, header *smime.Header, now time.Time) (identity, error) {
	var best identity
	bestIsFrom := false
	for _, own := range identities {
		if _, canSign := own.key.(crypto.Signer); !canSign || !maySign(own.cert) {
			continue
		}
		isFrom := header != nil && smime.CheckFrom(header, own.cert) == nil
		if best.cert == nil || isFrom && !bestIsFrom || isFrom == bestIsFrom && isBetter(own.cert, best.cert, now) {
			best, bestIsFrom = own, isFrom
		}
	}
	if best.cert == nil {
		return best, fault.New(fault.Refused, "cli.no-signing-key",
			"none of the certificates allows signing mail (key usage digitalSignature, extended key usage emailProtection); give one that does")
	}
	return best, nil
}

// peekHeader reads the header of a mail and gives the whole mail back. A header that is larger than the look ahead, or
// too large, is left to whoever reads the mail: then it is nil.
func peekHeader(in io.Reader) (io.Reader, *smime.Header) {
	if seeker, canSeek := in.(io.ReadSeeker); canSeek {
		if at, err := seeker.Seek(0, io.SeekCurrent); err == nil {
			header, failed := smime.ReadHeader(bufio.NewReader(seeker))
			if _, err := seeker.Seek(at, io.SeekStart); err != nil || failed != nil {
				return in, nil
			}
			return in, header
		}
	}
	buffered := bufio.NewReaderSize(in, 64<<10)
	start, err := buffered.Peek(64 << 10)
	if err == nil && !bytes.Contains(start, []byte("\n\n")) && !bytes.Contains(start, []byte("\r\n\r\n")) {
		return buffered, nil
	}
	header, err := smime.ReadHeader(bufio.NewReader(bytes.NewReader(start)))
	if err != nil {
		return buffered, nil
	}
	return buffered, header
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
