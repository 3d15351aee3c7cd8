package trust

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"sync"
)

// Memory remembers signatures on certificates and CRLs that held, so that the next evaluation need not check the same
// issuers again: four fifths of its work. It remembers nothing else; time, revocation and every rule are judged anew.
// It may be shared by any number of evaluations at once.
type Memory struct {
	mu         sync.Mutex
	young, old map[[sha256.Size]byte]struct{}
	size       int
}

// NewMemory makes a Memory for about that many signatures, 32 octets each. The least recently used are forgotten.
func NewMemory(size int) *Memory {
	return &Memory{young: map[[sha256.Size]byte]struct{}{}, size: max(size/2, 1)}
}

// check verifies a signature under the key of c, or remembers that it held.
func (m *Memory) check(c *certificate, algorithm x509.SignatureAlgorithm, signed, signature []byte) error {
	if m == nil {
		return c.check(algorithm, signed, signature)
	}
	key := digestOf(c.RawSubjectPublicKeyInfo, algorithm, signed, signature)
	if m.has(key) {
		return nil
	}
	err := c.check(algorithm, signed, signature)
	if err == nil {
		m.keep(key)
	}
	return err
}

// digestOf covers all that a verification depends on, each part behind its length.
func digestOf(key []byte, algorithm x509.SignatureAlgorithm, signed, signature []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, part := range [][]byte{key, {byte(algorithm)}, signed, signature} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write(part)
	}
	h.Sum(sum[:0])
	return sum
}

func (m *Memory) has(key [sha256.Size]byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.young[key]; ok {
		return true
	}
	if _, ok := m.old[key]; ok {
		m.add(key)
		return true
	}
	return false
}

func (m *Memory) keep(key [sha256.Size]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(key)
}

// add puts key among the young; when they are many, they become the old, and the old are forgotten.
func (m *Memory) add(key [sha256.Size]byte) {
	if len(m.young) >= m.size {
		m.old, m.young = m.young, make(map[[sha256.Size]byte]struct{}, m.size)
	}
	m.young[key] = struct{}{}
}
