package issuance_test

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"chancery.example/ca/issuance"
	"chancery.example/fault"
)

func TestSerialsAreDrawnFrom128Bits(t *testing.T) {
	const n = 20000
	seen := map[issuance.Serial]bool{}
	var ones [128]int
	for range n {
		s := issuance.NewSerial()
		if len(s) != 32 || seen[s] {
			t.Fatalf("the serial number %q is malformed or came twice", s)
		}
		seen[s] = true
		v := s.Int()
		for bit := range ones {
			ones[bit] += int(v.Bit(bit))
		}
	}
	for bit, k := range ones { // six standard deviations
		if k < n/2-425 || k > n/2+425 {
			t.Errorf("bit %d is set in %d of %d", bit, k, n)
		}
	}
}

func TestSerialRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), 1, 19).Draw(t, "octets")
		n := new(big.Int).SetBytes(raw)
		if n.Sign() == 0 {
			return
		}
		s := issuance.SerialOf(n)
		if s.Int().Cmp(n) != 0 {
			t.Fatalf("%v became %q became %v", n, s, s.Int())
		}
		text := string(s)
		if rapid.Bool().Draw(t, "upper") {
			text = strings.ToUpper(text)
		}
		if rapid.Bool().Draw(t, "colons") && len(text)%2 == 0 {
			var parts []string
			for i := 0; i < len(text); i += 2 {
				parts = append(parts, text[i:i+2])
			}
			text = strings.Join(parts, ":")
		}
		again, err := issuance.ParseSerial(text)
		if err != nil || again != s {
			t.Fatalf("%q is read as %q, %v; want %q", text, again, err, s)
		}
	})
}

func TestParseSerial(t *testing.T) {
	for in, want := range map[string]issuance.Serial{
		"1": "00000000000000000000000000000001", "0A": "0000000000000000000000000000000a", "0a:ff": "00000000000000000000000000000aff",
		"00 0a ff": "00000000000000000000000000000aff", "7f" + strings.Repeat("ff", 19): issuance.Serial("7f" + strings.Repeat("ff", 19)),
	} {
		if got, err := issuance.ParseSerial(in); err != nil || got != want {
			t.Errorf("%q is %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", "0", "00:00", "-1", "+1", "0x1f", "1_0", "g", "ord_1", "1.", strings.Repeat("f", 41), "ff" + strings.Repeat("ff", 19), strings.Repeat("1", 1<<20), "\x00", "1\n"} {
		got, err := issuance.ParseSerial(in)
		if !fault.Is(err, fault.Invalid) || got != "" {
			t.Errorf("%.50q is %q, %v", in, got, err)
		}
	}
}

func FuzzParseSerial(f *testing.F) {
	f.Add("3f9a")
	f.Add("00:ff")
	f.Fuzz(func(t *testing.T, in string) {
		s, err := issuance.ParseSerial(in)
		if err != nil {
			return
		}
		if again, err := issuance.ParseSerial(string(s)); err != nil || again != s || s.Int().Sign() <= 0 {
			t.Errorf("%q gives %q, which gives %q, %v", in, s, again, err)
		}
	})
}

func TestMalformedSerialsAreNoNumber(t *testing.T) {
	if issuance.Serial("no number").Int().Sign() != 0 {
		t.Error("text became a number")
	}
}
