package cms

import (
	"errors"
	"io"
)

var errClosed = errors.New("cms: write after close")

// headerAndBody is the size of an element whose contents have the size given.
func headerAndBody(t tag, length int64) int64 { return headerLength(t, length) + length }

// pieces writes the contents of an OCTET STRING: in one piece if its length is known, else in many.
type pieces struct {
	out    io.Writer
	tag    tag
	length int64 // -1 if unknown
	left   int64
	buffer []byte
}

// newPieces begins an OCTET STRING with tag t; its length is unknown if it is not positive.
func newPieces(out io.Writer, t tag, length int64) *pieces {
	if length <= 0 {
		return &pieces{out: out, tag: t, length: -1, buffer: make([]byte, 0, segment)}
	}
	return &pieces{out: out, tag: t, length: length, left: length}
}

// header appends the header of the string to what stands before it.
func (p *pieces) header(dst []byte) []byte {
	return appendHeader(dst, header{tag: p.tag, constructed: p.length < 0, length: p.length})
}

func (p *pieces) write(data []byte) error {
	if p.length >= 0 {
		if p.left -= int64(len(data)); p.left < 0 {
			return refused("content-length", "The content is longer than the %d bytes that were announced.", p.length)
		}
		_, err := p.out.Write(data)
		return err
	}
	for len(data) > 0 {
		if len(p.buffer) == 0 && len(data) >= segment {
			if err := p.piece(data[:segment]); err != nil {
				return err
			}
			data = data[segment:]
			continue
		}
		n := min(segment-len(p.buffer), len(data))
		p.buffer = append(p.buffer, data[:n]...)
		data = data[n:]
		if len(p.buffer) == segment {
			if err := p.piece(p.buffer); err != nil {
				return err
			}
			p.buffer = p.buffer[:0]
		}
	}
	return nil
}

func (p *pieces) piece(data []byte) error {
	if _, err := p.out.Write(appendHeader(nil, header{tag: tagOctetString, length: int64(len(data))})); err != nil {
		return err
	}
	_, err := p.out.Write(data)
	return err
}

// close ends the string.
func (p *pieces) close() error {
	if p.length >= 0 {
		if p.left != 0 {
			return refused("content-length", "The content is shorter than the %d bytes that were announced.", p.length)
		}
		return nil
	}
	if len(p.buffer) > 0 {
		if err := p.piece(p.buffer); err != nil {
			return err
		}
	}
	_, err := p.out.Write([]byte{0, 0})
	return err
}
