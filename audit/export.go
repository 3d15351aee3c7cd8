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
	first, err := next(s)
	if errors.Is(err, io.EOF) {
		return head, nil, errors.New("the export is empty")
	}
	if err != nil {
		return head, nil, err
	}
	if first.Entry != nil {
		return head, nil, errors.New("the export does not begin with its head")
	}
	head.Seq = first.Seq
	if head.Hash, err = parseHash(first.Hash); err != nil {
		return head, nil, err
	}
	return head, func(yield func(Entry, error) bool) {
		for {
			l, err := next(s)
			if errors.Is(err, io.EOF) {
				return
			}
			e, err := l.read(err)
			if !yield(e, err) || err != nil {
				return
			}
		}
	}, nil
}

func next(s *bufio.Scanner) (line, error) {
	var l line
	if !s.Scan() {
		if err := s.Err(); err != nil {
			return l, fmt.Errorf("the export is damaged: %w", err)
		}
		return l, io.EOF
	}
	if err := json.Unmarshal(s.Bytes(), &l); err != nil {
		return l, fmt.Errorf("the export is damaged: %w", err)
	}
	return l, nil
}

// read gives the entry of a line.
func (l line) read(err error) (Entry, error) {
	if err != nil {
		return Entry{}, err
	}
	if l.Entry == nil {
		return Entry{}, errors.New("the export has a line without an entry")
	}
	e := *l.Entry
	if e.Prev, err = parseHash(l.Prev); err != nil {
		return e, err
	}
	e.Hash, err = parseHash(l.Hash)
	return e, err
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
