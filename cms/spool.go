package cms

import (
	"io"
	"os"

	"chancery.example/fault"
)

// spool keeps ciphertext until it may be opened: in memory up to a bound, then in a temporary file that has no name any more.
// What it holds is as secret as the message was on its way.
type spool struct {
	memory [][]byte // blocks of copyBuffer bytes
	bound  int64
	dir    string
	file   *os.File
	size   int64
}

// Write implements io.Writer. It never keeps p.
func (s *spool) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 && s.size < s.bound {
		at := int(s.size % copyBuffer)
		if at == 0 {
			s.memory = append(s.memory, make([]byte, 0, min(copyBuffer, max(len(p), 1024))))
		}
		last := &s.memory[len(s.memory)-1]
		n := min(copyBuffer-at, len(p), int(s.bound-s.size))
		*last = append(*last, p[:n]...)
		s.size += int64(n)
		p = p[n:]
	}
	if len(p) == 0 {
		return total, nil
	}
	if s.file == nil {
		if err := s.open(); err != nil {
			return 0, err
		}
	}
	n, err := s.file.Write(p)
	s.size += int64(n)
	if err != nil {
		return total - len(p) + n, spoolError(err)
	}
	return total, nil
}

// open makes the file, mode 0600, and takes away its name where the system lets us; elsewhere close does.
func (s *spool) open() error {
	f, err := os.CreateTemp(s.dir, "cms-*.spool")
	if err != nil {
		return spoolError(err)
	}
	s.file = f
	os.Remove(f.Name())
	return nil
}

func spoolError(err error) error {
	return fault.Wrap(err, fault.Unavailable, "cms.spool", "A large message could not be kept in the temporary folder; is there room?")
}

// reader reads everything from its beginning. It may be called again.
func (s *spool) reader() io.Reader {
	parts := make([]io.Reader, 0, 2)
	parts = append(parts, &memoryReader{blocks: s.memory})
	if s.file != nil {
		parts = append(parts, io.NewSectionReader(s.file, 0, s.size-min(s.size, s.bound)))
	}
	return io.MultiReader(parts...)
}

// last returns the last n bytes, fewer if there are no more.
func (s *spool) last(n int) ([]byte, error) {
	n = int(min(int64(n), s.size))
	out := make([]byte, n)
	from := s.size - int64(n)
	at := 0
	for ; at < n && from < min(s.bound, s.size); at++ {
		out[at] = s.memory[from/copyBuffer][from%copyBuffer]
		from++
	}
	if at == n {
		return out, nil
	}
	if _, err := s.file.ReadAt(out[at:], from-s.bound); err != nil {
		return nil, spoolError(err)
	}
	return out, nil
}

// Close gives back memory and file.
func (s *spool) Close() error {
	s.memory = nil
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	os.Remove(s.file.Name())
	s.file = nil
	return err
}

// memoryReader reads blocks one after the other.
type memoryReader struct {
	blocks [][]byte
	at     int
}

func (m *memoryReader) Read(p []byte) (int, error) {
	for len(m.blocks) > 0 && m.at == len(m.blocks[0]) {
		m.blocks, m.at = m.blocks[1:], 0
	}
	if len(m.blocks) == 0 {
		return 0, io.EOF
	}
	n := copy(p, m.blocks[0][m.at:])
	m.at += n
	return n, nil
}
