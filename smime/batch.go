package smime

import (
	"bufio"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"io"
	"slices"
	"strings"
	"time"

	"chancery.example/cms"
	"chancery.example/fault"
)

// Correspondent is one who shall be able to read a mail, with all that is known about what they can read.
type Correspondent struct {
	// Address is where their message goes.
	Address string
	// Certificates are all that they are known by; the newest one that is in time and allows encryption is taken. Whether
	// they are to be believed is for the caller to know.
	Certificates []*x509.Certificate
	// Capabilities are what their last signed mail said they can read, best first (see Signature.Capabilities); nil
	// takes what the certificate says (RFC 4262).
	Capabilities []cms.Algorithm
}

// WriteOptions says who writes to whom.
type WriteOptions struct {
	// Sign says who signs; nil leaves the mail unsigned. Its Headers and LegacyDisplay are those of WriteOptions.
	Sign *SignOptions
	// To are the recipients that everybody may know of, of To and Cc alike.
	To []Correspondent
	// Bcc are recipients that nobody else may know of. Each gets a message of their own, because a message tells who
	// can open it (RFC 8551 5, RFC 5652 6.2).
	Bcc []Correspondent
	// Self is the sender, for the copy to keep; nil keeps none.
	Self *Correspondent
	// Cipher, when set, is taken for everybody, whatever they say.
	Cipher cms.Cipher
	// ProtectHeaders hides what hcp_baseline of RFC 9788 hides, and protects all fields.
	ProtectHeaders bool
	// LegacyDisplay is that of SignOptions.
	LegacyDisplay bool
	// At is the time for which certificates are chosen. It must be set.
	At time.Time
}

// MessageKind is why a message of a Batch is one of its own.
type MessageKind uint8

const (
	// Openly is for recipients that may know of each other.
	Openly MessageKind = iota
	// Hidden is for one Bcc recipient.
	Hidden
	// Own is the sender's copy, the only one with a Bcc field.
	Own
)

// Message is one encrypted message of a Batch.
type Message struct {
	Kind MessageKind
	// For are the envelope's recipients: nobody else can open it. It is the sender for Own.
	For []string
	// Cipher is the best one that all of them can read.
	Cipher cms.Cipher

	batch      *Batch
	recipients []cms.Recipient
}

// Batch is one mail on its way to several groups of readers. It is signed once, so that all see the same signature.
type Batch struct {
	// Messages are the groups of To in the order of their first recipient, then one for each Bcc, then Self's.
	Messages []Message

	opts    WriteOptions
	content io.ReadSeeker
	start   int64
	done    func()
}

// Write reads a mail, signs it, and groups its readers by what they can read: those who state AES-GCM get it, the
// others get AES-CBC, and nobody's mail is weaker or unreadable for another's sake. The messages are then written one
// by one with Message.Write. Close must be called.
//
// The mail is kept until Close, in memory up to 1 MiB and then in an unlinked file of mode 0600, unless it is a file
// and not to be signed.
//
// Errors are faults: mail.no-certificate of kind Refused, before anything is read, where one reader has no certificate
// that is in time and allows encryption: never are two of three written to. Else those of Sign.
func Write(ctx context.Context, r io.Reader, opts WriteOptions) (*Batch, error) {
	b := &Batch{opts: opts}
	if err := b.group(); err != nil {
		return nil, err
	}
	in := contextSeeker(ctx, r)
	if opts.Sign != nil {
		settings := *opts.Sign
		settings.Headers, settings.LegacyDisplay = HeadersOutside, opts.LegacyDisplay
		if opts.ProtectHeaders {
			settings.Headers = HeadersHidden
		}
		mail := in
		pipe, w := io.Pipe()
		defer pipe.Close()
		go func() { w.CloseWithError(Sign(ctx, mail, w, settings)) }()
		in = pipe
	}
	var err error
	b.content, b.start, b.done, err = readTwice(in)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Close gives back what the mail took.
func (b *Batch) Close() { b.done() }

// group parts the readers.
func (b *Batch) group() error {
	var missing []string
	add := func(kind MessageKind, c Correspondent) {
		cert := encryptionCertificate(c.Certificates, b.opts.At)
		if cert == nil {
			missing = append(missing, c.Address)
			return
		}
		recipient := cms.Recipient{Certificate: cert, OAEP: c.readsOAEP(cert)}
		cipher := b.opts.Cipher
		if cipher == cms.UnknownCipher {
			cipher = c.cipher(cert)
		}
		at := slices.IndexFunc(b.Messages, func(m Message) bool { return m.Kind == Openly && kind == Openly && m.Cipher == cipher })
		if at < 0 {
			at = len(b.Messages)
			b.Messages = append(b.Messages, Message{Kind: kind, Cipher: cipher, batch: b})
		}
		m := &b.Messages[at]
		if !slices.Contains(m.For, c.Address) {
			m.For, m.recipients = append(m.For, c.Address), append(m.recipients, recipient)
		}
	}
	for _, c := range b.opts.To {
		add(Openly, c)
	}
	for _, c := range b.opts.Bcc {
		add(Hidden, c)
	}
	if b.opts.Self != nil {
		add(Own, *b.opts.Self)
	}
	switch {
	case len(missing) > 0:
		return fault.New(fault.Refused, "mail.no-certificate",
			"There is no certificate that is valid and allows encryption for %s. Nothing was sent; get theirs first, or leave them out.", strings.Join(missing, ", "))
	case len(b.Messages) == 0:
		return fault.New(fault.Invalid, "mail.no-recipients", "The mail has no recipients to encrypt for.")
	}
	return nil
}

// Write writes the message. Messages of one Batch are written one after the other.
func (m *Message) Write(ctx context.Context, w io.Writer) error {
	if _, err := m.batch.content.Seek(m.batch.start, io.SeekStart); err != nil {
		return err
	}
	var in io.Reader = contextSeeker(ctx, m.batch.content)
	if m.Kind != Own {
		body := bufio.NewReaderSize(in, bufferSize)
		if err := skipEnvelopeLine(body); err != nil {
			return err
		}
		h, err := ReadHeader(body)
		if err != nil {
			return err
		}
		h.Fields = slices.DeleteFunc(h.Fields, func(f Field) bool { return f.Is("Bcc") || f.Is("Resent-Bcc") })
		in = io.MultiReader(headerReader(h), body)
	}
	isSigned := m.batch.opts.Sign != nil
	return Encrypt(ctx, in, w, EncryptOptions{Recipients: m.recipients, Cipher: m.Cipher,
		ProtectHeaders: m.batch.opts.ProtectHeaders && !isSigned, LegacyDisplay: m.batch.opts.LegacyDisplay && !isSigned})
}

// headerReader gives a header as it came.
func headerReader(h *Header) io.Reader {
	var text strings.Builder
	_ = writeHeader(&text, h) // a Builder does not fail
	return strings.NewReader(text.String())
}

// encryptionCertificate is the newest certificate that is in time and allows encryption of mail; nil where there is
// none (RFC 8550 4.4.2, 4.4.4).
func encryptionCertificate(certs []*x509.Certificate, at time.Time) *x509.Certificate {
	var best *x509.Certificate
	for _, cert := range certs {
		if cert == nil || at.Before(cert.NotBefore) || at.After(cert.NotAfter) || !MayEncrypt(cert) {
			continue
		}
		if best == nil || cert.NotBefore.After(best.NotBefore) {
			best = cert
		}
	}
	return best
}

// MayEncrypt reports whether a certificate allows mail to be encrypted to its key: a key usage that is present has
// keyEncipherment for RSA and ML-KEM, keyAgreement for the others (RFC 8550 4.4.2), and an extended key usage that is
// present has emailProtection or any (RFC 8550 4.4.4).
func MayEncrypt(cert *x509.Certificate) bool {
	if len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) > 0 &&
		!slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageEmailProtection) && !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny) {
		return false
	}
	if cert.KeyUsage == 0 {
		return true
	}
	switch cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return cert.KeyUsage&x509.KeyUsageKeyEncipherment != 0
	case nil: // a kind that crypto/x509 does not know: X25519 is for agreement, ML-KEM for encipherment (RFC 8410 5, RFC 9935 5)
		return cert.KeyUsage&(x509.KeyUsageKeyEncipherment|x509.KeyUsageKeyAgreement) != 0
	}
	return cert.KeyUsage&x509.KeyUsageKeyAgreement != 0
}

// oidOAEP is id-RSAES-OAEP (RFC 3560 2.1).
const oidOAEP cms.OID = "1.2.840.113549.1.1.7"

func (c Correspondent) reads(cert *x509.Certificate, id cms.OID) bool {
	if c.Capabilities == nil {
		return states(cert, id)
	}
	return slices.ContainsFunc(c.Capabilities, func(a cms.Algorithm) bool { return a.OID == id })
}

func (c Correspondent) readsOAEP(cert *x509.Certificate) bool {
	_, isRSA := cert.PublicKey.(*rsa.PublicKey)
	return isRSA && c.reads(cert, oidOAEP)
}

// cipher is the best one that they can read, as far as is known (RFC 8551 2.7.1): who states nothing reads AES-256-CBC.
func (c Correspondent) cipher(cert *x509.Certificate) cms.Cipher {
	for _, cipher := range []cms.Cipher{cms.AES256GCM, cms.AES128GCM, cms.AES256CBC, cms.AES128CBC} {
		if c.reads(cert, cipher.OID()) {
			return cipher
		}
	}
	return cms.AES256CBC
}
