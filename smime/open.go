package smime

import (
	"bufio"
	"context"
	"crypto/x509"
	"io"
	"strings"
	"time"

	"chancery.example/cms"
	"chancery.example/fault"
	"chancery.example/trust"
)

// Unwrap says how much Open takes off before it writes the mail.
type Unwrap uint8

const (
	// Decrypted takes off the encryption (and signatures around it) and leaves a signature inside it byte for byte, so
	// that it can be checked again. A mail that is not encrypted is refused with the code mail.not-encrypted.
	Decrypted Unwrap = iota
	// Content takes off every signature and encryption around the whole mail.
	Content
)

// Options is what the reader of a mail has, believes and asks. The zero value has no keys and trusts nobody.
type Options struct {
	// Keys are tried on encrypted mails.
	Keys []cms.DecryptionKey
	// KeysFor, when set, is asked for the keys of each recipient in place of Keys, by a house with more keys than it
	// wants to hold at once.
	KeysFor func(cms.RecipientInfo) []cms.DecryptionKey
	// Anchors are trusted without question; see trust.Options.
	Anchors []*x509.Certificate
	// Intermediates may help to build paths, and to find signers whose certificate the mail does not carry.
	Intermediates []*x509.Certificate
	// CRLs may tell a revocation, beside those that the mail carries.
	CRLs []*trust.CRL
	// Revocation says how much is asked about revocation.
	Revocation trust.RevocationMode
	// Fetcher gets what certificates name; nil: nothing is fetched.
	Fetcher trust.Fetcher
	// Memory spares a gateway checking the same issuers for every mail; nil remembers within one mail.
	Memory *trust.Memory
	// At is the time that the question is about. It must be set where a signature is to be judged.
	At time.Time
	// From is the address that the signer must have, in place of that of the From field; "" takes the field.
	From string
	// KeySeen, when set, is told the hash of each encrypted content key of a mail that opened, before any of the text is
	// handed on, and whether it was under an AEAD. It refuses, by an error, a key that it remembers from an AEAD and now
	// sees under another cipher: somebody re-labelled that mail to have its text without the proof.
	KeySeen func(encryptedKey [32]byte, aead bool) error
	// Unwrap says what is written.
	Unwrap Unwrap
	// Limits bounds the CMS inside; see cms.Limits.
	Limits cms.Limits
}

// Open reads a mail to its end: it opens what the keys open, checks every signature and returns the Report. What
// remains after Options.Unwrap is written to w, which may be nil, with the mail's own fields on top. The header of an
// encrypted mail decides over fields of the same name inside, unless those are protected (RFC 9788).
//
// What was written may be used only after Open has returned no error, and believed only as far as the Report says.
//
// Errors are faults: mail.* and cms.* of kind Invalid where the input cannot be read, TooLarge beyond a bound,
// cms.decrypt where no key opens it. A signature that does not hold is a verdict and no error.
//
// Signatures beside the text are checked in one pass. Where w is nil and r can seek, only the digests that the mail
// announces are taken, and the mail is read a second time in the rare case that it announced wrong ones.
func Open(ctx context.Context, r io.Reader, w io.Writer, opts Options) (*Report, error) {
	seeker, canSeek := r.(io.Seeker)
	o := newOpener(ctx, w, opts)
	o.allDigests = !canSeek || w != nil
	var start int64
	if !o.allDigests {
		var err error
		if start, err = seeker.Seek(0, io.SeekCurrent); err != nil { // a pipe that claims to be a file
			o.allDigests = true
		}
	}
	report, err := o.mail(r)
	if err != nil || !o.digestMissed || o.allDigests {
		return report, err
	}
	if _, err := seeker.Seek(start, io.SeekStart); err != nil {
		return nil, err
	}
	o = newOpener(ctx, w, opts)
	o.allDigests = true
	return o.mail(r)
}

// OpenCMS is Open for CMS without a mail around it, in DER, BER or PEM. content is what a detached signature is
// beside; nil where there is none. There is no From to compare with unless Options.From is set. What is written is the
// content, byte for byte.
func OpenCMS(ctx context.Context, r, content io.Reader, w io.Writer, opts Options) (*Report, error) {
	o := newOpener(ctx, w, opts)
	o.author = author{Address: opts.From, Skip: opts.From == ""}
	o.report.From = opts.From
	bare := cms.PEMReader(contextReader{ctx, r})
	if content != nil {
		content = contextReader{ctx, content}
		if w != nil {
			content = io.TeeReader(content, w)
		}
		if err := o.besideContent(bare, content); err != nil {
			return nil, err
		}
		return o.finish()
	}
	if err := o.message(bare, false, place{whole: true}); err != nil {
		return nil, err
	}
	return o.finish()
}

// opener is one run of Open.
type opener struct {
	ctx     context.Context
	opts    Options
	out     io.Writer // nil: nothing is written
	outer   *Header   // of the mail; nil for bare CMS
	author  author
	payload *Header // of the content whose fields are protected; nil: none are
	report  *Report

	parts       int  // seen so far, against maxParts
	encryptions int  // opened around the content
	aead        bool // all of them proved that the content is unaltered
	started     bool // something was written
	// within is the number of encryptions around each signature, by its index in the report.
	within []int
	// partEncrypted is true when a part, and not the whole, is encrypted; it is not opened.
	partEncrypted bool
	unsignedShell bool // a signature structure without signers was seen

	allDigests   bool // take every digest, not only those announced
	digestMissed bool // a signer used one that was not taken
}

func newOpener(ctx context.Context, w io.Writer, opts Options) *opener {
	if opts.Memory == nil { // the signers of one mail mostly have the same issuers
		opts.Memory = trust.NewMemory(maxSignatures)
	}
	return &opener{ctx: ctx, opts: opts, out: w, aead: true, report: &Report{
		Reasons: []Reason{}, Signatures: []Signature{}, Layers: []Layer{}, ProtectedHeaders: map[string]ProtectedHeader{},
	}}
}

// place is where in the mail an entity stands.
type place struct {
	// whole is true as long as nothing else is shown beside it.
	whole bool
	// signed is true inside a signature.
	signed bool
	// part is the path of part numbers from the last whole entity.
	part  string
	depth int // of parts in parts
	layer int // of signatures and encryptions in one another
}

func (o *opener) mail(r io.Reader) (*Report, error) {
	body := bufio.NewReaderSize(contextReader{o.ctx, r}, bufferSize)
	if err := skipEnvelopeLine(body); err != nil {
		return nil, err
	}
	h, err := ReadHeader(body)
	if err != nil {
		return nil, err
	}
	o.outer = h
	o.author = authorOf(h)
	if o.opts.From != "" {
		o.author = author{Address: o.opts.From}
	}
	o.report.From, o.report.Sender = o.author.Address, h.Get("Sender")
	if err := o.entity(h, body, place{whole: true}); err != nil {
		return nil, err
	}
	return o.finish()
}

// entity reads one header's worth of mail to its end.
func (o *opener) entity(h *Header, body *bufio.Reader, at place) error {
	if at.layer > maxLayers {
		return tooLarge("mail.layers", "The mail has more than %d signatures and encryptions around one another.", maxLayers)
	}
	form := formOf(h)
	if at.whole && at.layer > 0 && form == plainContent {
		o.protect(h)
	}
	if o.out != nil && o.opts.Unwrap == Decrypted && o.encryptions > 0 && !o.started && at.whole &&
		(form != wholeCMS || !isEncryption(sniff(h, body, o.opts.Limits))) {
		// What comes now is what was encrypted. It is written as it is and read on at the same time.
		copied, err := o.begin(h, body)
		if err != nil {
			return err
		}
		body = bufio.NewReaderSize(copied, bufferSize)
	}
	switch form {
	case detachedSignature:
		return o.multipartSigned(h, body, at)
	case wholeCMS:
		raw, err := decodeTransfer(h.encoding(), body)
		if err != nil && !at.whole { // nobody can read the part
			return drain(body)
		}
		if err != nil {
			return err
		}
		inner := len(o.report.Signatures)
		if err := o.cmsPart(h, raw, at); err != nil {
			return err
		}
		if h.Malformed { // two Content-Types, say: nobody knows which one a mail program takes
			o.tarnishFrom(inner, "The header in front of the signature is malformed, so that mail programs may show something else.")
		}
		return drain(body)
	}
	return o.content(h, body, at)
}

// content reads what is neither signature nor encryption. Outside of any signature it is searched for parts that are
// signed for themselves: those of a mailing list's, or of an attacker's making.
func (o *opener) content(h *Header, body *bufio.Reader, at place) error {
	if at.whole && o.out != nil && o.opts.Unwrap == Content {
		copied, err := o.begin(h, body)
		if err != nil {
			return err
		}
		body = bufio.NewReaderSize(copied, bufferSize)
	}
	if at.signed {
		return drain(body)
	}
	return o.search(h, body, at)
}

// begin writes the header of what is left and returns its body, which is written as it is read.
func (o *opener) begin(h *Header, body io.Reader) (io.Reader, error) {
	o.started = true
	if err := writeHeader(o.out, mergeHeaders(o.outer, h)); err != nil {
		return nil, err
	}
	return io.TeeReader(body, o.out), nil
}

// cmsPart reads an entity that is CMS. Within other parts only signatures matter: a part alone is never decrypted,
// since what stands around it could carry its text away (EFAIL, 2018).
func (o *opener) cmsPart(h *Header, raw io.Reader, at place) error {
	if at.whole {
		claim := strings.ToLower(h.contentType().Params["smime-type"])
		return o.message(raw, claim == "signed-data", at)
	}
	r, err := cms.NewReader(raw, o.opts.Limits)
	switch {
	case fault.Is(err, fault.Invalid): // an attachment that only calls itself so
		return nil
	case err != nil:
		return err
	case r.Type() == cms.TypeSignedData:
		return o.opaque(r, at)
	}
	o.partEncrypted = o.partEncrypted || isEncryption(r.Type())
	return nil
}

// message reads one CMS message that is the whole of what is left. What claims to be a signature and is damaged is a
// broken signature.
func (o *opener) message(raw io.Reader, claimsSignature bool, at place) error {
	r, err := cms.NewReader(raw, o.opts.Limits)
	if err != nil && claimsSignature {
		return o.unreadable(err, o.encryptions, at)
	}
	if err != nil {
		return err
	}
	switch kind := r.Type(); {
	case kind == cms.TypeSignedData:
		return o.opaque(r, at)
	case isEncryption(kind):
		return o.encrypted(r, at)
	case kind == cms.TypeCompressedData:
		return o.compressed(r, at)
	default:
		return fault.New(fault.Invalid, "mail.cms-type",
			"The mail is a CMS %s, which is neither signed, encrypted nor compressed; it cannot be read.", kind.Name())
	}
}

// encrypted opens an encryption and reads on inside.
func (o *opener) encrypted(r *cms.Reader, at place) error {
	o.report.Encrypted = true
	layer := Layer{Type: "enveloped-data"}
	if r.Type() == cms.TypeAuthEnvelopedData {
		layer.Type = "auth-enveloped-data"
	}
	hasKeys := len(o.opts.Keys) > 0 || o.opts.KeysFor != nil
	if !hasKeys && at.signed { // who only checks the signature outside needs no key
		o.report.Layers = append(o.report.Layers, layer)
		o.aead = false
		return nil
	}
	if !hasKeys {
		return fault.New(fault.Invalid, "mail.encrypted", "The mail is encrypted; give the key and certificate that open it.")
	}
	var opened *cms.Opened
	var err error
	if o.opts.KeysFor != nil {
		opened, err = r.DecryptWith(o.opts.KeysFor)
	} else {
		opened, err = r.Decrypt(o.opts.Keys)
	}
	if err != nil {
		return err
	}
	defer opened.Plaintext.Close()
	if o.opts.KeySeen != nil {
		for _, recipient := range opened.Recipients {
			if err := o.opts.KeySeen(recipient.EncryptedKeyHash, opened.Authenticated); err != nil {
				return err
			}
		}
	}
	layer.Opened, layer.Cipher, layer.Authenticated = true, opened.Cipher.String(), opened.Authenticated
	layer.Recipients = len(opened.Recipients)
	o.report.Layers = append(o.report.Layers, layer)
	o.encryptions++
	o.aead = o.aead && opened.Authenticated
	plain := bufio.NewReaderSize(opened.Plaintext, bufferSize)
	h, err := ReadHeader(plain)
	if err != nil {
		return err
	}
	at.layer++
	return o.entity(h, plain, at)
}

// compressed unpacks and reads on inside (RFC 8551 3.6).
func (o *opener) compressed(r *cms.Reader, at place) error {
	content, err := r.Compressed()
	if err != nil {
		return err
	}
	o.report.Layers = append(o.report.Layers, Layer{Type: "compressed-data", Opened: true})
	plain := bufio.NewReaderSize(content, bufferSize)
	h, err := ReadHeader(plain)
	if err != nil {
		return err
	}
	at.layer++
	if err := o.entity(h, plain, at); err != nil {
		return err
	}
	return drain(plain)
}

func isEncryption(kind cms.OID) bool {
	return kind == cms.TypeEnvelopedData || kind == cms.TypeAuthEnvelopedData
}

func drain(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// contextReader ends a stream when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
