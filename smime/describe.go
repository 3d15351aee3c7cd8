package smime

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"chancery.example/cms"
	"chancery.example/fault"
)

// Part is one entity of a mail as it is built, without any judgement: the whole, a part, or what is inside a signature.
type Part struct {
	// Type is the media type, "" for bare CMS.
	Type string
	// Bare is true where there is no header at all: a mail that begins with its text, if it is one.
	Bare bool
	// Encoding is the transfer encoding.
	Encoding string
	// Name is the file name that the part gives itself.
	Name string
	// Fields are From, To, Subject, Date and the like, of a mail; not of a part.
	Fields []Field
	// Octets is the size of the body as it is encoded, where the part has no parts.
	Octets int64
	// CMS says what a signature or encryption is made of; nil for others.
	CMS *cms.Description
	// Damage says why CMS could not be read.
	Damage string
	// Parts are those of a multipart, the mail of a message/rfc822, or the content of a signature.
	Parts []*Part
}

// Describe reads a mail to its end and tells how it is built. It checks no signature and opens nothing.
func Describe(ctx context.Context, r io.Reader, limits cms.Limits) (*Part, error) {
	body := bufio.NewReaderSize(contextReader{ctx, r}, bufferSize)
	if err := skipEnvelopeLine(body); err != nil {
		return nil, err
	}
	d := &describer{limits: limits}
	return d.entity(body, 0)
}

// DescribeCMS is Describe for CMS without a mail around it, in DER, BER or PEM.
func DescribeCMS(ctx context.Context, r io.Reader, limits cms.Limits) (*Part, error) {
	d := &describer{limits: limits}
	part := &Part{}
	raw := cms.PEMReader(contextReader{ctx, r})
	if err := d.cms(part, bufio.NewReaderSize(raw, bufferSize), 0); err != nil {
		return nil, err
	}
	return part, nil
}

type describer struct {
	limits cms.Limits
	parts  int
}

// entity describes one header and body to its end.
func (d *describer) entity(body *bufio.Reader, depth int) (*Part, error) {
	if d.parts++; d.parts > maxParts {
		return nil, tooLarge("mail.parts", "The mail has more than %d parts.", maxParts)
	}
	if depth > maxNesting {
		return nil, tooLarge("mail.nesting", "The mail has parts in parts deeper than %d.", maxNesting)
	}
	h, err := ReadHeader(body)
	if err != nil {
		return nil, err
	}
	ct := h.contentType()
	part := &Part{Type: ct.Type, Bare: h.bare, Encoding: h.encoding(), Name: ct.Params["name"]}
	if name := parseMediaType(h.Get("Content-Disposition")).Params["filename"]; name != "" {
		part.Name = name
	}
	for _, field := range h.Fields {
		if !field.isContent() && field.Name != "" {
			part.Fields = append(part.Fields, field)
		}
	}
	isSignature := isSignatureType(ct.Type)
	switch {
	case formOf(h) == wholeCMS || isSignature:
		raw, err := decodeTransfer(part.Encoding, body)
		if err == nil {
			err = d.cms(part, bufio.NewReaderSize(raw, bufferSize), depth)
		}
		if err != nil && !isDamage(err) {
			return nil, err
		}
		if err != nil {
			part.Damage = fault.Sentence(err)
		}
	case strings.HasPrefix(ct.Type, "multipart/") && ct.Params["boundary"] != "" && len(ct.Params["boundary"]) <= maxBoundary:
		err = d.multipart(part, body, ct.Params["boundary"], depth)
	case ct.Type == "message/rfc822" || ct.Type == "message/global":
		inner, failed := decodeTransfer(part.Encoding, body)
		if failed != nil {
			part.Damage = fault.Sentence(failed)
			break
		}
		var child *Part
		if child, err = d.entity(bufio.NewReaderSize(inner, bufferSize), depth+1); err == nil {
			part.Parts = []*Part{child}
		}
	default:
		part.Octets, err = io.Copy(io.Discard, body)
	}
	if err != nil {
		return nil, err
	}
	return part, drain(body)
}

func (d *describer) multipart(part *Part, body io.Reader, boundary string, depth int) error {
	split := newParts(body, boundary)
	for {
		r, err := split.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		child, err := d.entity(bufio.NewReaderSize(r, bufferSize), depth+1)
		if err != nil {
			return err
		}
		part.Parts = append(part.Parts, child)
	}
}

// cms describes CMS to its end. The content of a signature is described as the entity that it mostly is.
func (d *describer) cms(part *Part, raw *bufio.Reader, depth int) error {
	start, _ := raw.Peek(1024)
	kind, err := cms.NewReader(bytes.NewReader(start), d.limits)
	if err != nil || kind.Type() != cms.TypeSignedData {
		part.CMS, err = cms.Describe(raw, d.limits)
		return err
	}
	r, err := cms.NewReader(raw, d.limits)
	if err != nil {
		return err
	}
	reader, err := r.Signed()
	if err != nil {
		return err
	}
	part.CMS = &cms.Description{Type: cms.TypeSignedData, ContentType: reader.ContentType(), Detached: reader.Detached()}
	if !reader.Detached() {
		count := &countingReader{r: reader.Content()}
		content := bufio.NewReaderSize(count, bufferSize)
		if startsWithField(content) {
			child, err := d.entity(content, depth+1)
			if err != nil {
				return err
			}
			part.Parts = []*Part{child}
		}
		if err := drain(content); err != nil {
			return err
		}
		part.CMS.ContentBytes = count.n
	}
	signed, err := reader.Finish()
	if err != nil {
		return err
	}
	part.CMS.Certificates, part.CMS.CRLs, part.CMS.Signers = signed.Certificates, signed.CRLs, signed.Signers
	return nil
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
