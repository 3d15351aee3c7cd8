package profile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/hex"
	"math/big"
	"time"

	"chancery.example/fault"
	"chancery.example/rules"
)

// algorithm is how a key signs: the AlgorithmIdentifier, octet for octet as SBR 7.1.3.2 has it, and the hash.
type algorithm struct {
	identifier []byte
	hash       crypto.Hash
}

// The signatures of the house, one for each kind of key (SBR 7.1.3.2.1 and .2, BR-031).
var (
	rsaSHA256   = algorithm{unhex("300d06092a864886f70d01010b0500"), crypto.SHA256}
	ecdsaSHA256 = algorithm{unhex("300a06082a8648ce3d040302"), crypto.SHA256}
	ecdsaSHA384 = algorithm{unhex("300a06082a8648ce3d040303"), crypto.SHA384}
	ecdsaSHA512 = algorithm{unhex("300a06082a8648ce3d040304"), crypto.SHA512}
)

// SPKIAlgorithms are the AlgorithmIdentifiers that a SubjectPublicKeyInfo may begin with, as hex (SBR 7.1.3.1, BR-030).
func SPKIAlgorithms() []string {
	return []string{
		"300d06092a864886f70d0101010500",             // RSA
		"301306072a8648ce3d020106082a8648ce3d030107", // P-256
		"301006072a8648ce3d020106052b81040022",       // P-384
		"301006072a8648ce3d020106052b81040023",       // P-521
	}
}

// SignatureAlgorithms are the AlgorithmIdentifiers with which the house signs, as hex (SBR 7.1.3.2, BR-031).
func SignatureAlgorithms() []string {
	var all []string
	for _, a := range []algorithm{rsaSHA256, ecdsaSHA256, ecdsaSHA384, ecdsaSHA512} {
		all = append(all, hex.EncodeToString(a.identifier))
	}
	return all
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil // only constants come here; a test looks at each
	}
	return b
}

// signatureOf is the algorithm with which a key signs.
func signatureOf(pub crypto.PublicKey) (algorithm, error) {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return rsaSHA256, nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return ecdsaSHA256, nil
		case elliptic.P384():
			return ecdsaSHA384, nil
		case elliptic.P521():
			return ecdsaSHA512, nil
		}
	}
	return algorithm{}, refuse("BR-026", "A %T cannot sign certificates of this house; RSA, P-256, P-384 and P-521 keys can (SBR 6.1.5, BR-026).", pub)
}

// refuse is the error of a rule: its id stands in the code and in the sentence.
func refuse(id, format string, args ...any) *fault.Error {
	return fault.New(fault.Refused, "profile."+id, format, args...)
}

// CheckKey refuses a subscriber's public key that no certificate may carry at that time: wrong kind or size, broken or
// known to be weak. What it cannot know is whether the private key was published; that list is the caller's (BR-034).
func CheckKey(pub crypto.PublicKey, use Use, at time.Time) error {
	if use < Sign || use > Dual {
		return fault.New(fault.Invalid, "profile.use", "Say what the key is for: sign, encrypt or dual.")
	}
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if least := rules.Int(rules.LeafRSABits, at); k.N.BitLen() < least {
			return refuse("BR-027", "This RSA key has %d bits; at least %d are needed (SBR 6.1.5, BR-027). Make a new key.", k.N.BitLen(), least)
		}
		return checkRSA(k, at)
	case *ecdsa.PublicKey:
		return checkEC(k)
	}
	return refuse("BR-026", "Keys of this kind (%T) are not certified here; use RSA with 2048 to 4096 bits, P-256, P-384 or P-521 (SBR 6.1.5, BR-026).", pub)
}

// CheckAuthorityKey refuses a public key that no CA certificate signed at that time may carry.
func CheckAuthorityKey(pub crypto.PublicKey, at time.Time) error {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if least := rules.Int(rules.CARSABits, at); k.N.BitLen() < least {
			return refuse("BR-112", "This RSA key has %d bits; a CA certificate signed now needs at least %d (SBR 6.1.5, BR-112). Choose RSA-4096, P-256 or P-384.", k.N.BitLen(), least)
		}
		return checkRSA(k, at)
	case *ecdsa.PublicKey:
		return checkEC(k)
	}
	return refuse("BR-026", "A CA cannot have a key of this kind (%T); use RSA-4096, P-256, P-384 or P-521 (SBR 6.1.5, BR-026).", pub)
}

// checkIssuer refuses a CA key that may not sign subscriber certificates at that time.
func checkIssuer(pub crypto.PublicKey, at time.Time) error {
	if k, ok := pub.(*rsa.PublicKey); ok {
		if least := rules.Int(rules.LeafIssuerRSABits, at); k.N.BitLen() < least {
			return refuse("BR-113", "The issuing CA's RSA key has %d bits; to sign subscriber certificates it needs at least %d (SBR 6.1.5, BR-113). Make a new issuing CA.", k.N.BitLen(), least)
		}
	}
	return nil
}

// checkRSA judges the number itself: size, exponent, and the ways in which bad generators are known to fail.
func checkRSA(k *rsa.PublicKey, at time.Time) error {
	bits := k.N.BitLen()
	if most := rules.Int(rules.RSAMostBits, at); bits > most {
		return refuse("key-size", "This RSA key has %d bits; the house certifies up to %d, since many mail clients cannot use more. Make a smaller key.", bits, most)
	}
	if multiple := rules.Int(rules.RSABitsMultiple, at); bits%multiple != 0 {
		return refuse("BR-027", "This RSA key has %d bits, which is no multiple of %d (SBR 6.1.5, BR-027). Make a new key.", bits, multiple)
	}
	if k.E < 3 || k.E%2 == 0 {
		return refuse("BR-028", "This RSA key has the exponent %d; it must be odd and at least 3 (SBR 6.1.6, BR-028). Make a new key.", k.E)
	}
	if k.N.Bit(0) == 0 || hasSmallFactor(k.N) {
		return refuse("BR-028", "The modulus of this RSA key has a small factor, so it is broken (SBR 6.1.6, BR-028). Make a new key with other software.")
	}
	if hasROCAFingerprint(k.N) {
		return refuse("BR-033", "This RSA key was made by a chip whose keys can be computed (ROCA, CVE-2017-15361; SBR 6.1.1.3, BR-033). Make a new key elsewhere.")
	}
	if hasClosePrimes(k.N) {
		return refuse("BR-033", "The two primes of this RSA key lie so close together that it can be factored (SBR 6.1.1.3, BR-033). Make a new key with other software.")
	}
	return nil
}

func checkEC(k *ecdsa.PublicKey) error {
	switch k.Curve {
	case elliptic.P256(), elliptic.P384(), elliptic.P521():
	default:
		return refuse("BR-026", "This curve is not certified; use P-256, P-384 or P-521 (SBR 6.1.5, BR-026).")
	}
	// The full validation of SP 800-56A 5.6.2.3.3: range, on the curve, not infinity; the cofactor is 1.
	if _, err := k.ECDH(); err != nil {
		e := refuse("BR-029", "The point of this public key is not on its curve (SBR 6.1.6, BR-029). Make a new key.")
		e.Cause = err
		return e
	}
	return nil
}

// smallPrimes are those below 752 (SBR 6.1.6), and primorial their product.
var smallPrimes, primorial = primesBelow(752)

func primesBelow(limit int64) ([]int64, *big.Int) {
	var primes []int64
	product := big.NewInt(1)
next:
	for n := int64(2); n < limit; n++ {
		for _, p := range primes {
			if n%p == 0 {
				continue next
			}
		}
		primes = append(primes, n)
		product.Mul(product, big.NewInt(n))
	}
	return primes, product
}

func hasSmallFactor(n *big.Int) bool {
	return new(big.Int).GCD(nil, nil, new(big.Int).Mod(n, primorial), primorial).Cmp(big.NewInt(1)) != 0
}

// rocaPrimes is how many of the small odd primes ROCA's fingerprint looks at (3 to 167, as in the paper by Nemec et al., 2017).
const rocaPrimes = 38

// rocaResidues says, for each of these primes, which residues are powers of 65537.
var rocaResidues = rocaTable()

func rocaTable() []map[int64]bool {
	table := make([]map[int64]bool, 0, rocaPrimes)
	for _, p := range smallPrimes[1 : 1+rocaPrimes] {
		residues := make(map[int64]bool)
		for r := int64(1); !residues[r]; r = r * 65537 % p {
			residues[r] = true
		}
		table = append(table, residues)
	}
	return table
}

// hasROCAFingerprint reports whether a modulus is a power of 65537 modulo every prime of the fingerprint. A good one is with
// a probability below 2^-27.
func hasROCAFingerprint(n *big.Int) bool {
	reduced := new(big.Int).Mod(n, primorial)
	var rest, prime big.Int
	for i, residues := range rocaResidues {
		prime.SetInt64(smallPrimes[i+1])
		if !residues[rest.Mod(reduced, &prime).Int64()] {
			return false
		}
	}
	return true
}

// fermatRounds is how far apart the primes are searched (TLS BR 6.1.1.3 asks for 100 rounds).
const fermatRounds = 100

// squareFilter spares roots: a square has square residues modulo 64, 63, 65 and 11, which one number in a hundred has by chance.
var squareFilter = struct {
	modulus                *big.Int
	by64, by63, by65, by11 map[uint64]bool
}{big.NewInt(63 * 65 * 11), squares(64), squares(63), squares(65), squares(11)}

func squares(modulus uint64) map[uint64]bool {
	residues := make(map[uint64]bool)
	for i := range modulus {
		residues[i*i%modulus] = true
	}
	return residues
}

// hasClosePrimes tries Fermat's factorisation: n = a^2 - b^2 with a from the root of n upwards. From one a to the next, a^2 - n
// grows by 2a + 1, so that each round costs two additions and a remainder.
func hasClosePrimes(n *big.Int) bool {
	a := new(big.Int).Sqrt(n)
	rest := new(big.Int).Mul(a, a)
	rest.Sub(rest, n) // not above zero; zero when n is a square
	if rest.Sign() == 0 {
		return true
	}
	one := big.NewInt(1)
	step := new(big.Int).Lsh(a, 1)
	step.Add(step, one)
	var residue, root big.Int
	for range fermatRounds {
		rest.Add(rest, step)
		step.Add(step, big.NewInt(2))
		if !squareFilter.by64[residue.And(rest, big.NewInt(63)).Uint64()] {
			continue
		}
		r := residue.Mod(rest, squareFilter.modulus).Uint64()
		if !squareFilter.by63[r%63] || !squareFilter.by65[r%65] || !squareFilter.by11[r%11] {
			continue
		}
		if root.Sqrt(rest); root.Mul(&root, &root).Cmp(rest) == 0 {
			return true
		}
	}
	return false
}
