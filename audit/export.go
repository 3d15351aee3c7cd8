package audit

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// line is an entry or, on the first line, the head, as it is exported.
type line struct {
	Entry *Entry `json:"entry,omitempty"`
	Seq   int64  `json:"head,omitempty"`
	Prev  string `json:"prev,omitempty"`
	Hash  string `json:"hash"`
}

// Export writes a chain as JSON lines: the head, then every entry with its hashes, oldest first. Entries that are
// newer than the head are left out.
func Export(w io.Writer, entries iter.Seq2[Entry, error], head Head) error {
	enc := json.NewEncoder(w)
	if err := enc.Encode(line{Seq: head.Seq, Hash: head.Hash.String()}); err != nil {
		return err
	}
	for e, err := range entries {
		if err != nil {
			return err
		}
		if e.Seq > head.Seq {
			return nil
		}
		if err := enc.Encode(line{Entry: &e, Prev: e.Prev.String(), Hash: e.Hash.String()}); err != nil {
			return err
		}
	}
	return nil
}

// maxLine bounds one exported entry, in octets.
const maxLine = 1 << 20

// Import reads what Export wrote: the head, and the entries as they are read.
func Import(r io.Reader) (Head, iter.Seq2[Entry, error], error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxLine)
	var head Head
	first, err := next(s, 1)
	switch {
	case errors.Is(err, io.EOF):
		return head, nil, errors.New("not an exported log: it is empty")
	case err != nil:
		return head, nil, fmt.Errorf("not an exported log: %w", err)
	case first.Entry != nil:
		return head, nil, errors.New("not an exported log: it does not begin with its head")
	}
	head.Seq = first.Seq
	if head.Hash, err = parseHash(first.Hash); err != nil {
		return head, nil, fmt.Errorf("not an exported log: line 1 has no head: %w", err)
	}
	return head, func(yield func(Entry, error) bool) {
		for number := 2; ; number++ {
			l, err := next(s, number)
			if errors.Is(err, io.EOF) {
				return
			}
			var e Entry
			if err == nil {
				e, err = l.read(number)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}, nil
}

// next reads a line; number counts from 1.
func next(s *bufio.Scanner, number int) (line, error) {
	var l line
	if !s.Scan() {
		switch err := s.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			return l, fmt.Errorf("line %d is longer than %d octets, which no entry is", number, maxLine)
		case err != nil:
			return l, fmt.Errorf("it stops after line %d: %w", number-1, err)
		}
		return l, io.EOF
	}
	var notSyntax *json.UnmarshalTypeError
	err := json.Unmarshal(s.Bytes(), &l)
	switch {
	case errors.As(err, &notSyntax) && notSyntax.Field == "":
		return l, fmt.Errorf("line %d is no JSON object", number)
	case err != nil && json.Valid(s.Bytes()):
		return l, fmt.Errorf("line %d is no entry: %w", number, err)
	case err != nil:
		return l, fmt.Errorf("line %d is not JSON", number)
	}
	return l, nil
}

// read gives the entry of a line.
func (l line) read(number int) (e Entry, err error) {
	if l.Entry == nil {
		return e, fmt.Errorf("line %d has no entry", number)
	}
	e = *l.Entry
	if e.Prev, err = parseHash(l.Prev); err == nil {
		e.Hash, err = parseHash(l.Hash)
	}
	if err != nil {
		return e, fmt.Errorf("line %d is damaged: %w", number, err)
	}
	return e, nil
}

func parseHash(s string) (Hash, error) {
	var h Hash
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(h) {
		return h, fmt.Errorf("%q is no SHA-256", s)
	}
	copy(h[:], raw)
	return h, nil
}
