package smime

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"io"

	"chancery.example/cms"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// EncryptOptions says for whom and how to encrypt.
type EncryptOptions struct {
	// Recipients are all who can open the mail; at least one. Whether their certificates are valid is for the caller to
	// know.
	Recipients []cms.Recipient
	// Cipher is the content encryption; zero takes what CipherFor says.
	Cipher cms.Cipher
	// ProtectHeaders hides fields of a mail that is not signed: HeadersHidden of RFC 9788. Those of a signed mail are
	// protected when it is signed.
	ProtectHeaders bool
	// LegacyDisplay is that of SignOptions.
	LegacyDisplay bool
}

// Encrypt reads a mail, or a bare MIME entity, signed or not, and writes it encrypted for all recipients. The fields
// of the mail stay on top in clear; those that describe its content, and the content, are encrypted (RFC 8551 3.3).
// A mail without fields of its own goes inside as a whole.
//
// Errors are faults: mail.header where the header is malformed, TooLarge beyond a bound, those of cms.NewEncrypter.
func Encrypt(ctx context.Context, r io.Reader, w io.Writer, opts EncryptOptions) error {
	settings := opts.cms()
	var in io.Reader = contextReader{ctx, r}
	if opts.LegacyDisplay && opts.ProtectHeaders {
		shown := withLegacyDisplay(in)
		defer shown.Close()
		in = shown
	}
	outer, inner, body, err := readMail(in)
	if err != nil {
		return err
	}
	if len(inner.All("Content-Type")) == 0 {
		inner.Fields = append(inner.Fields, newField("Content-Type", "text/plain; charset=utf-8"))
	}
	bare := len(outer) == 1
	if opts.ProtectHeaders && !bare {
		if outer, err = protectFields(HeadersHidden, outer, inner); err != nil {
			return err
		}
	}
	content := inner.Fields
	if bare {
		content = append(outer, content...)
	}
	kind := "enveloped-data"
	if settings.Cipher.AEAD() {
		kind = "authEnveloped-data" // RFC 8551 3.2.2
	}
	out := bufio.NewWriterSize(w, bufferSize)
	encoder := newBase64Writer(&headedWriter{w: out, fields: append(outer[:len(outer):len(outer)], cmsFields(kind)...)})
	encrypter, err := cms.NewEncrypter(encoder, settings)
	if err != nil {
		return err
	}
	if err := writeEntityHeader(encrypter, content); err != nil {
		return err
	}
	var text io.Reader = body
	if inner.encoding() != "binary" {
		text = newCRLFReader(body)
	}
	if _, err := io.Copy(encrypter, text); err != nil {
		return err
	}
	if err := encrypter.Close(); err != nil {
		return err
	}
	if err := encoder.Close(); err != nil {
		return err
	}
	return out.Flush()
}

// EncryptCMS reads any octets and writes bare CMS in DER or BER with exactly these inside.
func EncryptCMS(ctx context.Context, r io.Reader, w io.Writer, opts EncryptOptions) error {
	encrypter, err := cms.NewEncrypter(w, opts.cms())
	if err != nil {
		return err
	}
	if _, err := io.Copy(encrypter, contextReader{ctx, r}); err != nil {
		return err
	}
	return encrypter.Close()
}

func (opts EncryptOptions) cms() cms.EncryptOptions {
	settings := cms.EncryptOptions{Cipher: opts.Cipher, Recipients: opts.Recipients}
	if settings.Cipher == cms.UnknownCipher {
		var certs []*x509.Certificate
		for _, recipient := range opts.Recipients {
			certs = append(certs, recipient.Certificate)
		}
		settings.Cipher = CipherFor(certs)
	}
	return settings
}

// CipherFor is the best cipher that all recipients can surely read: AES-256-GCM if the certificate of each one lists
// it among its S/MIME capabilities (RFC 4262), else AES-256-CBC, which everybody reads. Many mail programs show
// AES-GCM as a blank mail.
func CipherFor(recipients []*x509.Certificate) cms.Cipher {
	for _, cert := range recipients {
		if cert == nil || !states(cert, cms.AES256GCM.OID()) {
			return cms.AES256CBC
		}
	}
	if len(recipients) == 0 {
		return cms.AES256CBC
	}
	return cms.AES256GCM
}

var oidCapabilities = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 15}

// states reports whether the S/MIME capabilities of a certificate list an algorithm: SEQUENCE OF SEQUENCE { OID, … }.
func states(cert *x509.Certificate, algorithm cms.OID) bool {
	for _, extension := range cert.Extensions {
		if !extension.Id.Equal(oidCapabilities) {
			continue
		}
		var list cryptobyte.String
		input := cryptobyte.String(extension.Value)
		if !input.ReadASN1(&list, cbasn1.SEQUENCE) {
			return false
		}
		for !list.Empty() {
			var entry cryptobyte.String
			var id asn1.ObjectIdentifier
			if !list.ReadASN1(&entry, cbasn1.SEQUENCE) || !entry.ReadASN1ObjectIdentifier(&id) {
				return false
			}
			if id.String() == string(algorithm) {
				return true
			}
		}
	}
	return false
}
