package smime

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"chancery.example/cms"
	"chancery.example/fault"
)

// opaque reads a signature that holds its content (RFC 8551 3.5.2), and reads on inside.
func (o *opener) opaque(r *cms.Reader, at place) error {
	layer := len(o.report.Layers)
	if at.whole {
		o.report.Layers = append(o.report.Layers, Layer{Type: "signed-data", Opened: true})
	}
	within := o.encryptions
	reader, err := r.Signed()
	if err != nil {
		return o.unreadable(err, within, at)
	}
	if reader.Detached() {
		return o.withoutContent(reader, layer, within, at)
	}
	watched := &watchedReader{r: reader.Content()}
	content := bufio.NewReaderSize(watched, bufferSize)
	err = o.inside(content, at)
	if watched.err != nil {
		return o.unreadable(watched.err, within, at)
	}
	if err != nil {
		return err
	}
	signed, err := reader.Finish()
	if err != nil {
		return o.unreadable(err, within, at)
	}
	return o.judge(signed, layer, within, at)
}

// inside reads the entity under a signature to its end.
func (o *opener) inside(content *bufio.Reader, at place) error {
	h, err := ReadHeader(content)
	if err != nil {
		return err
	}
	at.layer, at.signed = at.layer+1, true
	if at.whole {
		err = o.entity(h, content, at)
	}
	if err != nil {
		return err
	}
	return drain(content)
}

// withoutContent reads a signature without content in a place where nothing stands beside it. It may be a mere carrier
// of certificates (RFC 8551 3.8).
func (o *opener) withoutContent(reader *cms.SignedReader, layer, within int, at place) error {
	signed, err := reader.Finish()
	if err != nil {
		return o.unreadable(err, within, at)
	}
	if len(signed.Signers) > 0 {
		o.broken(MissingContent, "The signature does not hold the text that it signs, and there is none beside it.", within, at)
		return nil
	}
	return o.judge(signed, layer, within, at)
}

// multipartSigned reads a signature beside its content (RFC 1847 2.1, RFC 8551 3.5.3).
func (o *opener) multipartSigned(h *Header, body *bufio.Reader, at place) error {
	layer := len(o.report.Layers)
	if at.whole {
		o.report.Layers = append(o.report.Layers, Layer{Type: "multipart/signed", Opened: true})
	}
	within := o.encryptions
	ct := h.contentType()
	boundary := ct.Params["boundary"]
	if boundary == "" || len(boundary) > maxBoundary || ct.Malformed {
		o.broken(MalformedSignature, "The Content-Type of the signed mail is malformed, so that its parts cannot be told apart.", within, at)
		return drain(body)
	}
	if e := h.encoding(); e != "7bit" && e != "8bit" && e != "binary" { // RFC 2045 6.4
		o.broken(MalformedSignature, "The signed mail as a whole is transfer-encoded, which readers understand differently.", within, at)
		return drain(body)
	}
	split := newParts(body, boundary)
	first, err := split.Next()
	if errors.Is(err, io.EOF) {
		o.broken(MalformedSignature, "The signed mail has no parts.", within, at)
		return nil
	}
	if err != nil {
		return err
	}
	var announced = micalgHashes(ct.Params["micalg"])
	if o.allDigests {
		announced = anyHashes(announced)
	}
	canonical, exact := cms.NewDigester(announced...), (*cms.Digester)(nil)
	raw := bufio.NewReaderSize(first, bufferSize)
	if first = raw; beginsWithBareLF(raw) {
		// QUIRK: openssl cms -sign -binary signs line feeds as they are, against RFC 8551 3.1.1.
		exact = cms.NewDigester(announced...)
		first = io.TeeReader(raw, exact)
	}
	content := bufio.NewReaderSize(io.TeeReader(newCRLFReader(first), canonical), bufferSize)
	inner := len(o.report.Signatures)
	if err := o.inside(content, at); err != nil {
		return err
	}
	signature, attached, unread := o.signaturePart(split)
	if unread != nil && !isDamage(unread) {
		return unread
	}
	third, err := split.Next()
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if third == nil {
		if err := split.drain(); err != nil {
			return err
		}
	}
	beside := third != nil || attached || split.outside.seen
	if (beside || unread != nil) && o.encryptions > within { // a part alone is never decrypted, see cmsPart
		return fault.New(fault.Invalid, "mail.encrypted-part", "Only a part of the mail is encrypted; what stands beside it could carry its text away.")
	}
	if unread != nil {
		return o.unreadable(unread, within, at)
	}
	signed, err := o.verifyEither(signature, canonical, exact)
	if fault.CodeOf(err) == "cms.content-twice" {
		o.broken(TwoContents, "The signature brings a text of its own beside the one that is shown.", within, at)
		return drain(body)
	}
	if err != nil {
		return o.unreadable(err, within, at)
	}
	if beside { // what else is shown was not under the signatures inside either
		o.tarnishFrom(inner, "The signature covers only a part of what is shown.")
	}
	if third != nil || split.outside.seen { // RFC 1847 2.1 knows two; a mail program may show the third
		at.whole, at.part = false, strings.TrimPrefix(at.part+".1", ".")
	}
	if err := o.judge(signed, layer, within, at); err != nil {
		return err
	}
	return drain(body)
}

// tarnishFrom doubts all signatures from that index on.
func (o *opener) tarnishFrom(first int, text string) {
	for i := first; i < len(o.report.Signatures); i++ {
		o.report.Signatures[i].tarnish(PartlySigned, text)
	}
}

// verifyEither checks a signature against the content with canonical line ends and, where that is not what was signed,
// against the content as it is. Only one can match. The second may be nil.
func (o *opener) verifyEither(signature []byte, canonical, exact *cms.Digester) (*cms.Signed, error) {
	signed, err := cms.VerifyDigested(bytes.NewReader(signature), canonical, o.opts.Limits)
	if err != nil || exact == nil {
		return signed, err
	}
	for _, signer := range signed.Signers {
		if _, result := o.signerCertificate(signed, signer); result.Reason == cms.ReasonContentChanged {
			return cms.VerifyDigested(bytes.NewReader(signature), exact, o.opts.Limits)
		}
	}
	return signed, nil
}

// beginsWithBareLF tells a mail that is stored with line feeds only by its first line.
func beginsWithBareLF(r *bufio.Reader) bool {
	start, _ := r.Peek(1024)
	end := bytes.IndexByte(start, '\n')
	return end == 0 || end > 0 && start[end-1] != '\r'
}

// signaturePart reads the second part of a multipart/signed, which is bounded.
func (o *opener) signaturePart(split *parts) (signature []byte, attached bool, err error) {
	missing := fault.New(fault.Invalid, "mail.no-signature-part", "The signed mail has lost its signature.")
	second, err := split.Next()
	if errors.Is(err, io.EOF) {
		return nil, false, missing
	}
	if err != nil {
		return nil, false, err
	}
	// A delimiter that only others see may hide behind the signature too.
	body := bufio.NewReaderSize(io.TeeReader(second, &split.outside), bufferSize)
	h, err := ReadHeader(body)
	if err != nil {
		return nil, false, err
	}
	split.outside.seen = split.outside.seen || h.Malformed // with two Content-Types it may be shown
	kind := h.contentType().Type
	if !isSignatureType(kind) && kind != "application/octet-stream" {
		return nil, false, missing
	}
	raw, err := decodeTransfer(h.encoding(), body)
	if err != nil {
		return nil, false, err
	}
	signature, err = io.ReadAll(io.LimitReader(raw, maxSignature+1))
	if len(signature) > maxSignature {
		return nil, false, tooLarge("mail.signature", "The signature of the mail is larger than %d MiB.", maxSignature>>20)
	}
	return signature, !isSignatureType(kind), err
}

// search looks through what is not signed for parts that are, and goes into parts and forwarded mails.
func (o *opener) search(h *Header, body *bufio.Reader, at place) error {
	ct := h.contentType()
	switch {
	case strings.HasPrefix(ct.Type, "multipart/") && ct.Params["boundary"] != "" && len(ct.Params["boundary"]) <= maxBoundary:
		split := newParts(body, ct.Params["boundary"])
		for number := 1; ; number++ {
			part, err := split.Next()
			if errors.Is(err, io.EOF) {
				return drain(body)
			}
			if err != nil {
				return err
			}
			if err := o.part(part, number, at); err != nil {
				return err
			}
		}
	case ct.Type == "message/rfc822" || ct.Type == "message/global":
		inner, err := decodeTransfer(h.encoding(), body)
		if err != nil { // an encoding that nobody knows shows nothing
			return drain(body)
		}
		if err := o.part(inner, 1, at); err != nil && !isDamage(err) {
			return err
		}
	}
	return drain(body)
}

// part reads one part of unsigned content.
func (o *opener) part(r io.Reader, number int, at place) error {
	o.parts++
	at.depth++
	at.whole = false
	at.part = strings.TrimPrefix(fmt.Sprintf("%s.%d", at.part, number), ".")
	if o.parts > maxParts {
		return tooLarge("mail.parts", "The mail has more than %d parts.", maxParts)
	}
	if at.depth > maxNesting {
		return tooLarge("mail.nesting", "The mail has parts in parts deeper than %d.", maxNesting)
	}
	body := bufio.NewReaderSize(r, bufferSize)
	h, err := ReadHeader(body)
	if err != nil {
		return err
	}
	return o.entity(h, body, at)
}

// unreadable turns a signature that cannot be read into a verdict. Bounds, and troubles of our own, stay errors.
func (o *opener) unreadable(err error, within int, at place) error {
	if !isDamage(err) {
		return err
	}
	if at.whole && o.started && o.opts.Unwrap == Content {
		return err // the content was cut short as well
	}
	o.broken(MalformedSignature, "The signature is damaged: "+fault.Sentence(err), within, at)
	return nil
}

// isDamage tells bytes that are wrong from bounds and from troubles of reading.
func isDamage(err error) bool {
	return fault.Is(err, fault.Invalid) || errors.Is(err, io.ErrUnexpectedEOF)
}

// watchedReader remembers the error of the stream beneath, to tell whose it was.
type watchedReader struct {
	r   io.Reader
	err error
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}
