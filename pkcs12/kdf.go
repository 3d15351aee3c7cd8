package pkcs12

import (
	"crypto"
	"crypto/pbkdf2"
	"errors"
	"hash"
	"math/big"
	"unicode/utf16"
)

// The purposes of a derived octet string (RFC 7292 B.3).
const (
	forKey = 1
	forIV  = 2
	forMAC = 3
)

// secret is a password in the two forms that key derivations take.
type secret struct {
	utf8 string // for PBKDF2 (RFC 8018 3, RFC 9579 5)
	bmp  []byte // for RFC 7292 B.1: UTF-16BE with two zero octets at the end
}

// secrets lists what a typed password may mean, most likely first. An empty password is written by some software
// as nothing and by other as a lone terminator; and NSS before 3.37 gave PBKDF2 the UTF-16 form.
func secrets(password string) []secret {
	wide := bmp(password)
	list := []secret{{password, append(wide, 0, 0)}}
	if password == "" {
		list = append(list, secret{"", nil})
	}
	return append(list, secret{string(wide) + "\x00\x00", append(wide, 0, 0)})
}

// bmp is s in UTF-16 with the high octet first; characters outside the basic plane become surrogate pairs.
func bmp(s string) []byte {
	units := utf16.Encode([]rune(s))
	out := make([]byte, 0, 2*len(units)+2)
	for _, u := range units {
		out = append(out, byte(u>>8), byte(u))
	}
	return out
}

// budget is what remains of Limits.Iterations. It is shared by all derivations of one file.
type budget struct{ left int }

var errBudget = errors.New("more rounds of key derivation than the limit allows")

// spend takes n rounds, blocks times, off the budget.
func (b *budget) spend(n, blocks int) error {
	if n < 1 {
		return errors.New("an iteration count below one")
	}
	if n > b.left/blocks {
		return errBudget
	}
	b.left -= n * blocks
	return nil
}

// deriveRFC7292 is the key derivation of RFC 7292 B.2.
func deriveRFC7292(h crypto.Hash, password, salt []byte, iterations int, purpose byte, size int, b *budget) ([]byte, error) {
	u := h.Size()
	if err := b.spend(iterations, (size+u-1)/u); err != nil {
		return nil, err
	}
	v := h.New().BlockSize()
	d := make([]byte, v)
	for i := range d {
		d[i] = purpose
	}
	i := append(fill(salt, v), fill(password, v)...)
	var out []byte
	one := big.NewInt(1)
	modulus := new(big.Int).Lsh(one, uint(8*v))
	for {
		a := iterate(h, d, i, iterations)
		if out = append(out, a...); len(out) >= size {
			return out[:size], nil
		}
		// I_j = (I_j + B + 1) mod 2^8v for every block of I (step 6 C)
		plus := new(big.Int).SetBytes(fill(a, v)[:v])
		plus.Add(plus, one)
		for j := 0; j < len(i); j += v {
			x := new(big.Int).SetBytes(i[j : j+v])
			x.Add(x, plus).Mod(x, modulus).FillBytes(i[j : j+v])
		}
	}
}

func iterate(h crypto.Hash, d, i []byte, iterations int) []byte {
	w := h.New()
	w.Write(d)
	w.Write(i)
	a := w.Sum(nil)
	for range iterations - 1 {
		w.Reset()
		w.Write(a)
		a = w.Sum(a[:0])
	}
	return a
}

// fill repeats s up to a whole number of blocks of v octets.
func fill(s []byte, v int) []byte {
	if len(s) == 0 {
		return nil
	}
	out := make([]byte, v*((len(s)+v-1)/v))
	for i := range out {
		out[i] = s[i%len(s)]
	}
	return out
}

// derivePBKDF2 is PBKDF2 (RFC 8018 5.2).
func derivePBKDF2(prf func() hash.Hash, password string, salt []byte, iterations, size int, b *budget) ([]byte, error) {
	u := prf().Size()
	if err := b.spend(iterations, (size+u-1)/u); err != nil {
		return nil, err
	}
	return pbkdf2.Key(prf, password, salt, iterations, size)
}
