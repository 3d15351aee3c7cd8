package cms

import (
	"crypto/cipher"
	"io"
	"runtime"
	"sync"
)

const (
	// parallelBuffer is how much CBC is decrypted at once where there is enough of it.
	parallelBuffer = 256 << 10
	// parallelPiece is the least that is worth a goroutine.
	parallelPiece = 32 << 10
)

// decryptCBC decrypts whole blocks in place and returns the vector for what follows. Every block depends on ciphertext alone,
// so that pieces go side by side over the processors; the standard library does one block after the other.
func decryptCBC(block cipher.Block, iv, p []byte) []byte {
	size := block.BlockSize()
	next := append(make([]byte, 0, size), p[len(p)-size:]...)
	workers := min(runtime.GOMAXPROCS(0), len(p)/parallelPiece)
	if workers < 2 {
		cipher.NewCBCDecrypter(block, iv).CryptBlocks(p, p)
		return next
	}
	each := (len(p)/size + workers - 1) / workers * size
	vectors := make([][]byte, 0, workers)
	for at := 0; at < len(p); at += each { // before any of it is overwritten
		if at > 0 {
			iv = append(make([]byte, 0, size), p[at-size:at]...)
		}
		vectors = append(vectors, iv)
	}
	var all sync.WaitGroup
	for i, iv := range vectors {
		piece := p[i*each : min((i+1)*each, len(p))]
		all.Go(func() { cipher.NewCBCDecrypter(block, iv).CryptBlocks(piece, piece) })
	}
	all.Wait()
	return next
}

// cbcReader decrypts what it reads and leaves the padding out.
type cbcReader struct {
	block cipher.Block
	iv    []byte
	src   io.Reader
	left  int64  // plaintext not yet handed out
	ready []byte // of buffer, decrypted
	buf   []byte
}

func (c *cbcReader) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	if len(c.ready) == 0 {
		size := int64(c.block.BlockSize())
		if c.buf == nil {
			c.buf = make([]byte, min(parallelBuffer, (c.left/size+1)*size))
		}
		n, err := io.ReadFull(c.src, c.buf)
		if n == 0 || err != nil && (err != io.ErrUnexpectedEOF || n%int(size) != 0) {
			return 0, spoolError(err)
		}
		c.ready = c.buf[:n]
		c.iv = decryptCBC(c.block, c.iv, c.ready)
	}
	n := copy(p, c.ready[:min(int64(len(c.ready)), c.left)])
	c.ready = c.ready[n:]
	c.left -= int64(n)
	return n, nil
}
