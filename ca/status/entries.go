package status

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"
)

// entries are the revokedCertificates of a list, already encoded, in segments by the week in which the certificates
// end. So a further revocation costs its own few octets, a list of a million is hashed and written without encoding
// anything, and what has ended leaves a week at a time.
type entries struct {
	weeks map[int64]*segment
	size  int   // octets of all entries
	count int   // entries
	upto  int64 // every revocation up to this number was considered
}

// segment is the encoded entries of certificates that end in the same week.
type segment struct {
	last   time.Time // when the last of them ends
	chunks [][]byte
	size   int
	count  int
}

// chunkSize bounds what one segment wastes.
const chunkSize = 8 << 10

func newEntries() *entries { return &entries{weeks: map[int64]*segment{}} }

// add encodes one revocation.
func (e *entries) add(r Revocation) error {
	week := r.NotAfter.Unix() / (7 * 24 * 3600)
	s := e.weeks[week]
	if s == nil {
		s = &segment{}
		e.weeks[week] = s
	}
	if r.NotAfter.After(s.last) {
		s.last = r.NotAfter
	}
	n := len(s.chunks) - 1
	if n < 0 || cap(s.chunks[n])-len(s.chunks[n]) < maxEntry {
		s.chunks = append(s.chunks, make([]byte, 0, chunkSize))
		n++
	}
	before := len(s.chunks[n])
	chunk, err := appendEntry(s.chunks[n], r)
	if err != nil {
		return err
	}
	s.chunks[n] = chunk
	grown := len(chunk) - before
	s.size, s.count = s.size+grown, s.count+1
	e.size, e.count = e.size+grown, e.count+1
	e.upto = max(e.upto, r.N)
	return nil
}

// drop removes the weeks whose certificates had all ended when the list of that instant was issued: they were on one
// list after their end, as RFC 5280 3.3 wants, and may leave now (SBR 4.10.1, BR-129).
func (e *entries) drop(listed time.Time) {
	for week, s := range e.weeks {
		if s.last.Before(listed) {
			e.size, e.count = e.size-s.size, e.count-s.count
			delete(e.weeks, week)
		}
	}
}

// each calls f with all chunks, always in the same order.
func (e *entries) each(f func([]byte) error) error {
	for _, week := range slices.Sorted(maps.Keys(e.weeks)) {
		for _, c := range e.weeks[week].chunks {
			if err := f(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxEntry bounds one entry: 4 octets of header, 22 of serial number, 17 of time and 14 of reason.
const maxEntry = 64

// appendEntry appends the DER of one element of revokedCertificates (RFC 5280 5.1.2.6). The reason stands in a
// non-critical extension, and unspecified is left out (RFC 5280 5.3.1, SBR 7.2.2, BR-126).
func appendEntry(b []byte, r Revocation) ([]byte, error) {
	serial, err := hex.DecodeString(string(r.Serial))
	if err != nil || len(serial) == 0 || len(serial) > 20 {
		return nil, fmt.Errorf("status: revocation %d has the serial number %q", r.N, r.Serial)
	}
	for len(serial) > 1 && serial[0] == 0 {
		serial = serial[1:]
	}
	start := len(b)
	b = append(b, 0x30, 0, 0x02, 0)
	if serial[0] >= 0x80 { // an INTEGER is signed
		b = append(b, 0)
	}
	b = append(b, serial...)
	b[start+3] = byte(len(b) - start - 4)
	b = appendTime(b, r.At)
	if r.Reason != Unspecified {
		// SEQUENCE { SEQUENCE { OBJECT IDENTIFIER 2.5.29.21, OCTET STRING { ENUMERATED } } }
		b = append(b, 0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01, byte(r.Reason))
	}
	b[start+1] = byte(len(b) - start - 2) // below 128 by maxEntry
	return b, nil
}

// appendTime appends a Time of RFC 5280 5.1.2.4: UTCTime to the end of 2049, GeneralizedTime after it.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	if t.Year() < 2050 {
		return t.AppendFormat(append(b, 0x17, 13), "060102150405Z")
	}
	return t.AppendFormat(append(b, 0x18, 15), "20060102150405Z")
}
