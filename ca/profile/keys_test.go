package profile

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"slices"
	"testing"
	"time"

	"chancery.example/fault"
)

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// roca makes a modulus as the broken chips did: a power of 65537 modulo the product of the primes.
func roca(t *testing.T) *big.Int {
	t.Helper()
	product := big.NewInt(1)
	for _, p := range smallPrimes[1 : 1+rocaPrimes] {
		product.Mul(product, big.NewInt(p))
	}
	n := new(big.Int).Exp(big.NewInt(65537), big.NewInt(4711), product)
	k := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(3), 2046), product)
	for {
		candidate := new(big.Int).Add(n, new(big.Int).Mul(product, k))
		if candidate.Bit(0) == 1 && !hasSmallFactor(candidate) {
			return candidate
		}
		k.Add(k, big.NewInt(1))
	}
}

func TestCheckKey(t *testing.T) {
	good := rsaKey(t)
	closeTo := func(distance int64) *big.Int {
		q := new(big.Int).Add(good.Primes[0], big.NewInt(distance))
		for hasSmallFactor(q) {
			q.Add(q, big.NewInt(2))
		}
		return q.Mul(q, good.Primes[0])
	}
	//lint:ignore SA1019 the newer ways refuse such points themselves, and this test wants them
	offCurve, infinity := &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}, &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int), Y: new(big.Int)}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := func(n *big.Int, e int) *rsa.PublicKey { return &rsa.PublicKey{N: n, E: e} }
	for _, c := range []struct {
		name string
		key  crypto.PublicKey
		code string // "" is good
	}{
		{"P-256", ecKey(t, elliptic.P256()).Public(), ""},
		{"P-384", ecKey(t, elliptic.P384()).Public(), ""},
		{"P-521", ecKey(t, elliptic.P521()).Public(), ""},
		{"RSA-2048", good.Public(), ""},
		{"RSA with the exponent 3", of(good.N, 3), ""},
		{"P-224", ecKey(t, elliptic.P224()).Public(), "profile.BR-026"},
		{"Ed25519", edwards, "profile.BR-026"},
		{"nothing", nil, "profile.BR-026"},
		{"a private key", good, "profile.BR-026"},
		{"RSA-1024", of(new(big.Int).Rsh(good.N, 1024), 65537), "profile.BR-027"},
		{"RSA-2040", of(new(big.Int).Rsh(good.N, 8), 65537), "profile.BR-027"},
		{"RSA-2049", of(new(big.Int).Lsh(good.N, 1), 65537), "profile.BR-027"},
		{"RSA-4104", of(new(big.Int).Lsh(good.N, 2056), 65537), "profile.key-size"},
		{"the exponent 1", of(good.N, 1), "profile.BR-028"},
		{"an even exponent", of(good.N, 65538), "profile.BR-028"},
		{"an even modulus", of(new(big.Int).SetBit(good.N, 0, 0), 65537), "profile.BR-028"},
		{"the factor 509", of(new(big.Int).Mul(new(big.Int).SetBit(new(big.Int).Rsh(good.N, 9), 0, 1), big.NewInt(509)), 65537), "profile.BR-028"},
		{"a ROCA key", of(roca(t), 65537), "profile.BR-033"},
		{"primes that are neighbours", of(closeTo(2), 65537), "profile.BR-033"},
		{"primes a trillion apart, which is close", of(closeTo(1_000_000_000_000), 65537), "profile.BR-033"},
		{"a square", of(new(big.Int).Mul(good.Primes[0], good.Primes[0]), 65537), "profile.BR-033"},
		{"a point off the curve", offCurve, "profile.BR-029"},
		{"the point at infinity", infinity, "profile.BR-029"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := CheckKey(c.key, Dual, now)
			if c.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			mustBe(t, err, fault.Refused, c.code)
		})
	}
}

// Fermat's method must find what it can find: with 100 rounds, primes as far apart as 2^(bits/4) at least.
func TestNoGoodKeyIsCalledWeak(t *testing.T) {
	for range 5 {
		k := rsaKey(t)
		if err := CheckKey(k.Public(), Dual, now); err != nil {
			t.Error(err)
		}
	}
	flagged := 0
	for range 2000 {
		n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 2048))
		if err != nil {
			t.Fatal(err)
		}
		if hasROCAFingerprint(n.SetBit(n, 2047, 1)) || hasClosePrimes(n) {
			flagged++
		}
	}
	if flagged > 0 {
		t.Errorf("%d of 2000 random numbers are called weak", flagged)
	}
}

func TestCheckAuthorityKey(t *testing.T) {
	small := rsaKey(t).Public()
	before := time.Date(2026, 9, 14, 23, 59, 59, 0, time.UTC)
	if err := CheckAuthorityKey(small, before); err != nil {
		t.Errorf("RSA-2048 was good on the eve: %v", err)
	}
	mustBe(t, CheckAuthorityKey(small, now), fault.Refused, "profile.BR-112")
	mustBe(t, CheckAuthorityKey(ed25519.PublicKey{}, now), fault.Refused, "profile.BR-026")
	if err := CheckAuthorityKey(ecKey(t, elliptic.P384()).Public(), now); err != nil {
		t.Error(err)
	}
}

// The octets of the table in SBR 7.1.3, against what crypto/x509 writes for the same keys.
func TestAlgorithmIdentifiersOctetForOctet(t *testing.T) {
	for _, c := range []struct {
		name            string
		key             crypto.Signer
		spki, signature string
	}{
		{"RSA", rsaKey(t), "300d06092a864886f70d0101010500", "300d06092a864886f70d01010b0500"},
		{"P-256", ecKey(t, elliptic.P256()), "301306072a8648ce3d020106082a8648ce3d030107", "300a06082a8648ce3d040302"},
		{"P-384", ecKey(t, elliptic.P384()), "301006072a8648ce3d020106052b81040022", "300a06082a8648ce3d040303"},
		{"P-521", ecKey(t, elliptic.P521()), "301006072a8648ce3d020106052b81040023", "300a06082a8648ce3d040304"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := house{rootKey: c.key}
			a := rootOf(c.key)
			a.NotBefore = time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC) // while RSA-2048 could be a root's
			tbs, err := Root(a)
			if err != nil {
				t.Fatal(err)
			}
			h.root = sign(t, tbs, c.key)
			if err := h.root.CheckSignatureFrom(h.root); err != nil {
				t.Error(err)
			}
			spki, signature := unhex(c.spki), unhex(c.signature)
			if !bytes.Contains(h.root.RawSubjectPublicKeyInfo, spki) || !slices.Contains(SPKIAlgorithms(), c.spki) {
				t.Error("the key's identifier is another")
			}
			if n := bytes.Count(h.root.Raw, signature); n != 2 || !slices.Contains(SignatureAlgorithms(), c.signature) {
				t.Errorf("the signature's identifier stands there %d times", n)
			}
			theirs, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}}, &x509.Certificate{}, c.key.Public(), c.key)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(theirs, spki) || bytes.Count(theirs, signature) != 2 {
				t.Errorf("crypto/x509 writes other octets: %s", hex.EncodeToString(theirs))
			}
		})
	}
}
