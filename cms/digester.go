package cms

import (
	"crypto"
	"hash"
	"io"
)

// Digester takes the digests of content that travels beside its signature, such as the first part of a multipart/signed,
// before the signature is known. It is an io.Writer; write exactly the signed bytes.
type Digester struct {
	hashes []runningHash
	// beginning is as much of the content as looksLikeAttributes wants to see.
	beginning []byte
	// whole is the content for signatures that cover it itself, kept while it has at most bound bytes.
	whole []byte
	bound int64
	kept  bool
}

type runningHash struct {
	hash crypto.Hash
	sum  hash.Hash
}

// NewDigester takes digests by the hashes given (those that micalg promises); by SHA-256, SHA-384 and SHA-512 if none is.
// Hashes that this package has no use for are left out.
func NewDigester(hashes ...crypto.Hash) *Digester {
	if len(hashes) == 0 {
		hashes = []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}
	}
	d := &Digester{}
	for _, h := range hashes {
		d.add(h)
	}
	if d.find(crypto.SHA512) != nil { // which goes with the algorithms that sign the content itself
		d.keep(wholeContent)
	}
	return d
}

// keep makes d keep the content itself, as long as that has no more bytes than bound.
func (d *Digester) keep(bound int64) { d.bound, d.kept = bound, true }

func (d *Digester) add(h crypto.Hash) {
	if _, known := digestOf(h); !known || d.find(h) != nil {
		return
	}
	d.hashes = append(d.hashes, runningHash{h, h.New()})
}

func (d *Digester) find(h crypto.Hash) hash.Hash {
	for _, r := range d.hashes {
		if r.hash == h {
			return r.sum
		}
	}
	return nil
}

// Write takes in more content; it never fails.
func (d *Digester) Write(p []byte) (int, error) {
	if missing := beginningBytes - len(d.beginning); missing > 0 {
		d.beginning = append(d.beginning, p[:min(missing, len(p))]...)
	}
	for _, r := range d.hashes {
		r.sum.Write(p)
	}
	if d.kept {
		if d.kept = int64(len(d.whole)+len(p)) <= d.bound; d.kept {
			d.whole = append(d.whole, p...)
		} else {
			d.whole = nil
		}
	}
	return len(p), nil
}

// serve hands each signer what it is checked against.
func (d *Digester) serve(s *Signed, announced []Algorithm) {
	for _, signer := range s.Signers {
		signer.content = contentFacts{contentType: s.ContentType, ambiguous: looksLikeAttributes(d.beginning)}
		for _, a := range announced {
			signer.content.announced = signer.content.announced || a.OID == signer.DigestAlgorithm.OID
		}
		if facts, known := signer.DigestAlgorithm.digest(); known {
			if sum := d.find(facts.hash); sum != nil {
				signer.content.digest = sum.Sum(nil)
			}
		}
		if signer.coversContent() {
			signer.content.kept, signer.content.whole = d.kept, d.whole
		}
	}
}

const beginningBytes = 32

// looksLikeAttributes tells whether content begins like the DER of signed attributes. A signature over signed attributes
// can be moved to a message without any, whose content are those attributes: what was signed once would seem to say
// something else. No mail begins like this.
func looksLikeAttributes(beginning []byte) bool {
	h, n, ok := memoryHeader(beginning)
	if !ok || h.tag != tagSet || !h.constructed {
		return false
	}
	beginning = beginning[n:]
	if h, n, ok = memoryHeader(beginning); !ok || h.tag != tagSequence || !h.constructed {
		return false
	}
	h, _, ok = memoryHeader(beginning[n:])
	return ok && h.tag == tagOID && !h.constructed
}

// VerifyDetached reads a detached signature, then the content to its end, and returns the signers, ready to be checked.
// A message with content of its own is refused with the code cms.content-twice.
func VerifyDetached(signature, content io.Reader, l Limits) (*Signed, error) {
	signed, announced, err := readDetached(signature, l)
	if err != nil {
		return nil, err
	}
	d := &Digester{}
	for _, s := range signed.Signers {
		if facts, known := s.DigestAlgorithm.digest(); known {
			d.add(facts.hash)
		}
		if s.coversContent() && !d.kept {
			d.keep(l.withDefaults().WholeContent)
		}
	}
	if _, err := io.CopyBuffer(d, onlyReader{content}, make([]byte, copyBuffer)); err != nil {
		return nil, err
	}
	d.serve(signed, announced)
	return signed, nil
}

// VerifyDigested is VerifyDetached for content that came before its signature and went through d. Signers with a digest
// algorithm that d did not take check as Unknown with ReasonNoContent.
func VerifyDigested(signature io.Reader, d *Digester, l Limits) (*Signed, error) {
	signed, announced, err := readDetached(signature, l)
	if err != nil {
		return nil, err
	}
	d.serve(signed, announced)
	return signed, nil
}

// onlyReader hides io.WriterTo, so that io.CopyBuffer uses the buffer given.
type onlyReader struct{ io.Reader }

// readDetached reads a SignedData that must hold no content. An empty content counts as none: Outlook writes such.
func readDetached(signature io.Reader, l Limits) (*Signed, []Algorithm, error) {
	r, err := NewReader(signature, l)
	if err != nil {
		return nil, nil, err
	}
	s, err := r.Signed()
	if err != nil {
		return nil, nil, err
	}
	if !s.Detached() {
		if n, err := io.ReadFull(s.Content(), make([]byte, 1)); n > 0 {
			return nil, nil, refused("content-twice", "This signature holds content of its own beside the content that came with it.")
		} else if err != io.EOF {
			return nil, nil, err
		}
	}
	signed, err := s.Finish()
	if err != nil {
		return nil, nil, err
	}
	signed.Detached = true
	return signed, s.announced, nil
}
