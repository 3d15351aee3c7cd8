package smime

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// spoolMemory is what a mail that has to be read twice may take of memory before a file takes it, in octets.
const spoolMemory = 1 << 20

// readTwice makes a reader that can go back to where it stands now. What cannot seek is kept, in memory or in an
// unlinked file of mode 0600. close must be called.
func readTwice(r io.Reader) (again io.ReadSeeker, start int64, close func(), err error) {
	if seeker, ok := r.(io.ReadSeeker); ok {
		if start, err := seeker.Seek(0, io.SeekCurrent); err == nil {
			return seeker, start, func() {}, nil
		}
	}
	var memory bytes.Buffer
	if _, err := io.CopyN(&memory, r, spoolMemory); errors.Is(err, io.EOF) {
		return bytes.NewReader(memory.Bytes()), 0, func() {}, nil
	} else if err != nil {
		return nil, 0, nil, err
	}
	file, err := os.CreateTemp("", "chancery-*")
	if err != nil {
		return nil, 0, nil, err
	}
	close = func() { file.Close() }
	if err = os.Remove(file.Name()); err == nil {
		if _, err = io.Copy(file, io.MultiReader(&memory, r)); err == nil {
			_, err = file.Seek(0, io.SeekStart)
		}
	}
	if err != nil {
		close()
		return nil, 0, nil, err
	}
	return file, 0, close, nil
}
