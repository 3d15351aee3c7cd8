package cms

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// TestDerivedContentKeys are the two examples of RFC 9709, appendix B: AES-128-GCM and AES-128-CBC.
func TestDerivedContentKeys(t *testing.T) {
	unhex := func(s string) []byte {
		p, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for algorithm, want := range map[string]string{
		"301b0609608648016503040106300e040c5c79058ba2f43447639d29e2":     "2124ffb29fac4e0fbbc7d5d87492bff3",
		"301d06096086480165030401020410651f722ffd512c52fe072e507d72b377": "9cd102c52f1e19ece8729b35bfeceb50",
	} {
		got, err := deriveContentKey(unhex("c702e7d0a9e064b09ba55245fb733cf3"), unhex(algorithm))
		if err != nil || !bytes.Equal(got, unhex(want)) {
			t.Errorf("%x, %v", got, err)
		}
	}
}
