package smime

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"io"
	"strings"
	"time"

	"chancery.example/cms"
	"chancery.example/fault"
)

// SignOptions says how to sign.
type SignOptions struct {
	// Signers sign, each for themselves; at least one.
	Signers []cms.Signer
	// Certificates are carried beside the signers' own: usually the intermediates, without the root.
	Certificates []*x509.Certificate
	// Opaque puts the content inside the signature (application/pkcs7-mime, RFC 8551 3.5.2), which survives relays that
	// re-wrap text but cannot be read without S/MIME. Else the signature stands beside it (multipart/signed).
	Opaque bool
	// At is the signing time to state; zero states none.
	At time.Time
	// Capabilities are the ciphers that the signer's mail programs read, best first; nil states AES-CBC, because many
	// programs show mail in AES-GCM as blank.
	Capabilities []cms.Cipher
	// Headers says whether the fields of the mail go under the signature as well. With HeadersHidden the mail has to be
	// encrypted next.
	Headers HeaderProtection
	// LegacyDisplay repeats hidden fields at the top of the text, for programs that do not know protected ones
	// (RFC 9788 5.2.2).
	LegacyDisplay bool
}

// Sign reads a mail, or a bare MIME entity, and writes it signed, with every line end as CR LF. Content that a relay
// could alter is transfer-encoded first. The fields of the mail stay on top; those that describe its content go under
// the signature (RFC 8551 3.1). A mail that is read from something else than a file is kept for a second reading, in
// memory up to 1 MiB and then in an unlinked file.
//
// Errors are faults: mail.header where the header is malformed, TooLarge beyond a bound, those of cms.NewSigner.
func Sign(ctx context.Context, r io.Reader, w io.Writer, opts SignOptions) error {
	in := contextSeeker(ctx, r)
	if opts.LegacyDisplay && opts.Headers == HeadersHidden {
		shown := withLegacyDisplay(in)
		defer shown.Close()
		in = shown
	}
	return signTwice(in, w, opts)
}

func signTwice(r io.Reader, w io.Writer, opts SignOptions) error {
	in, start, done, err := readTwice(r)
	if err != nil {
		return err
	}
	defer done()
	_, inner, body, err := readMail(in)
	if err != nil {
		return err
	}
	found, err := surveyEntity(inner, body)
	if err != nil {
		return err
	}
	if _, err := in.Seek(start, io.SeekStart); err != nil {
		return err
	}
	outer, inner, body, err := readMail(in)
	if err != nil {
		return err
	}
	describe(inner, found)
	if outer, err = protectFields(opts.Headers, outer, inner); err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, bufferSize)
	if opts.Opaque {
		err = writeOpaque(out, outer, inner, body, found, opts)
	} else {
		err = writeDetached(out, outer, inner, body, found, opts)
	}
	if err != nil {
		return err
	}
	return out.Flush()
}

// SignCMS reads any octets and writes bare CMS in DER over exactly these: with the content inside if Opaque, else the
// signature alone.
func SignCMS(ctx context.Context, r io.Reader, w io.Writer, opts SignOptions) error {
	signer, err := cms.NewSigner(w, opts.cms(!opts.Opaque))
	if err != nil {
		return err
	}
	if _, err := io.Copy(signer, contextReader{ctx, r}); err != nil {
		return err
	}
	return signer.Close()
}

func writeDetached(out io.Writer, outer []Field, inner *Header, body *bufio.Reader, found survey, opts SignOptions) error {
	settings := opts.cms(true)
	signature := &deferredWriter{} // the signature comes last, and is small
	signer, err := cms.NewSigner(signature, settings)
	if err != nil {
		return err
	}
	boundary := newBoundary()
	fields := append(outer,
		newField("Content-Type", `multipart/signed; protocol="application/pkcs7-signature";`+
			"\r\n micalg="+micalgOf(settings.Signers)+`; boundary="`+boundary+`"`))
	if err := writeEntityHeader(out, fields); err != nil {
		return err
	}
	if _, err := io.WriteString(out, "This is an S/MIME signed message.\r\n\r\n--"+boundary+"\r\n"); err != nil {
		return err
	}
	if err := writeSafe(io.MultiWriter(signer, out), inner, body, found); err != nil {
		return err
	}
	if err := signer.Close(); err != nil {
		return err
	}
	_, err = io.WriteString(out, "\r\n--"+boundary+"\r\n"+
		"Content-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n"+
		"Content-Transfer-Encoding: base64\r\n"+
		"Content-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n")
	if err != nil {
		return err
	}
	encoder := newBase64Writer(out)
	if _, err := encoder.Write(signature.data); err != nil {
		return err
	}
	if err := encoder.Close(); err != nil {
		return err
	}
	_, err = io.WriteString(out, "\r\n--"+boundary+"--\r\n")
	return err
}

func writeOpaque(out io.Writer, outer []Field, inner *Header, body *bufio.Reader, found survey, opts SignOptions) error {
	encoder := newBase64Writer(&headedWriter{w: out, fields: append(outer, cmsFields("signed-data")...)})
	signer, err := cms.NewSigner(encoder, opts.cms(false))
	if err != nil {
		return err
	}
	if err := writeSafe(signer, inner, body, found); err != nil {
		return err
	}
	if err := signer.Close(); err != nil {
		return err
	}
	return encoder.Close()
}

// cmsFields describe an entity that is CMS (RFC 8551 3.2).
func cmsFields(kind string) []Field {
	return []Field{
		newField("Content-Type", `application/pkcs7-mime; smime-type=`+kind+`; name="smime.p7m"`),
		newField("Content-Transfer-Encoding", "base64"),
		newField("Content-Disposition", `attachment; filename="smime.p7m"`),
	}
}

// cms are the settings for the layer beneath, with each signer's digest made definite.
func (opts SignOptions) cms(detached bool) cms.SignOptions {
	settings := cms.SignOptions{Certificates: opts.Certificates, Detached: detached, SigningTime: opts.At}
	for _, signer := range opts.Signers {
		if signer.Hash == 0 && signer.Certificate != nil {
			signer.Hash = digestFor(signer.Certificate)
		}
		settings.Signers = append(settings.Signers, signer)
	}
	ciphers := opts.Capabilities
	if ciphers == nil {
		ciphers = []cms.Cipher{cms.AES256CBC, cms.AES192CBC, cms.AES128CBC}
	}
	for _, cipher := range ciphers {
		settings.Capabilities = append(settings.Capabilities, cipher.Capability())
	}
	return settings
}

// digestFor is a digest as strong as the key (RFC 5480 4); SHA-512 with those that take no other (RFC 8419 3, RFC 9882 3.3).
func digestFor(cert *x509.Certificate) crypto.Hash {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return crypto.SHA256
	case *ecdsa.PublicKey:
		switch bits := key.Curve.Params().BitSize; {
		case bits <= 256:
			return crypto.SHA256
		case bits <= 384:
			return crypto.SHA384
		}
	}
	return crypto.SHA512
}

// micalgOf names the digests of all signers (RFC 8551 3.5.3.2).
func micalgOf(signers []cms.Signer) string {
	names := map[crypto.Hash]string{crypto.SHA256: "sha-256", crypto.SHA384: "sha-384", crypto.SHA512: "sha-512",
		crypto.SHA3_256: "sha3-256", crypto.SHA3_384: "sha3-384", crypto.SHA3_512: "sha3-512"}
	var list []string
	for _, signer := range signers {
		if name := names[signer.Hash]; name != "" && !strings.Contains(strings.Join(list, ","), name) {
			list = append(list, name)
		}
	}
	if len(list) > 1 {
		return `"` + strings.Join(list, ",") + `"`
	}
	return strings.Join(list, "")
}

// readMail reads the header of a mail and parts it: fields of the mail, with MIME-Version, and the header of its
// content.
func readMail(r io.Reader) (outer []Field, inner *Header, body *bufio.Reader, err error) {
	body = bufio.NewReaderSize(r, bufferSize)
	if err := skipEnvelopeLine(body); err != nil {
		return nil, nil, nil, err
	}
	h, err := ReadHeader(body)
	if err != nil {
		return nil, nil, nil, err
	}
	if h.Malformed {
		return nil, nil, nil, fault.New(fault.Invalid, "mail.header",
			"The header of the mail is malformed: a line that is no field, or Content-Type twice. Mend it first.")
	}
	inner = &Header{}
	for _, field := range h.Fields {
		if field.isContent() {
			inner.Fields = append(inner.Fields, field)
		} else {
			outer = append(outer, field)
		}
	}
	if !hasField(outer, "MIME-Version") {
		outer = append(outer, newField("MIME-Version", "1.0"))
	}
	return outer, inner, body, nil
}

// describe gives content without a type the one that it has by default, with the charset that was found.
func describe(inner *Header, found survey) {
	if len(inner.All("Content-Type")) > 0 {
		return
	}
	charset := "us-ascii"
	if len(found.leaves) == 1 && found.leaves[0].eight > 0 {
		charset = "unknown-8bit" // RFC 1428 3
		if found.leaves[0].utf8 {
			charset = "utf-8"
		}
	}
	inner.Fields = append([]Field{newField("Content-Type", "text/plain; charset="+charset)}, inner.Fields...)
}

// headedWriter writes a header before the first octet, so that a refusal of what comes leaves nothing behind.
type headedWriter struct {
	w      io.Writer
	fields []Field // nil once they are written
}

func (h *headedWriter) Write(p []byte) (int, error) {
	if h.fields != nil {
		if err := writeEntityHeader(h.w, h.fields); err != nil {
			return 0, err
		}
		h.fields = nil
	}
	return h.w.Write(p)
}

// deferredWriter holds what is small and is written later.
type deferredWriter struct{ data []byte }

func (d *deferredWriter) Write(p []byte) (int, error) {
	d.data = append(d.data, p...)
	return len(p), nil
}

// contextSeeker is contextReader that keeps the ability to seek.
func contextSeeker(ctx context.Context, r io.Reader) io.Reader {
	if seeker, ok := r.(io.Seeker); ok {
		return struct {
			contextReader
			io.Seeker
		}{contextReader{ctx, r}, seeker}
	}
	return contextReader{ctx, r}
}
