package cms

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"testing"
)

// TestKEMRecipientOfRFC9936 follows the example of RFC 9936, appendix C, from the shared secret on: its ML-KEM-512 itself is not
// supported.
func TestKEMRecipientOfRFC9936(t *testing.T) {
	unhex := func(s string) []byte {
		p, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	wrapped := unhex("C050E4392F9C14DD0AC2220203F317D701F94F9DD92778F5")
	recipient := constructed(context(4), derOID(oidKEMRecipient), constructed(tagSequence, derInteger(0),
		simple(context(0), unhex("599788C37AED400EE405D1B2A3366AB17D824A51")), Algorithm{OID: "2.16.840.1.101.3.4.4.1"}.der(),
		simple(tagOctetString, make([]byte, 768)), Algorithm{OID: oidHKDFSHA256}.der(), derInteger(16),
		Algorithm{OID: oidAES128Wrap}.der(), simple(tagOctetString, wrapped)))
	targets, err := parseRecipient(recipient, Limits{}.withDefaults())
	if err != nil || len(targets) != 1 || targets[0].Kind != KeyEncapsulation || targets[0].KeyEncryption.Name() != "ML-KEM-512" {
		t.Fatalf("%+v, %v", targets, err)
	}
	k := targets[0].encapsulation
	if want := unhex("3010300B0609608648016503040105020110"); !k.usable || !bytes.Equal(k.info, want) {
		t.Errorf("other information %x", k.info)
	}
	if (k.kdf != KDF{Hash: crypto.SHA256, HKDF: true}) {
		t.Errorf("%+v", k.kdf)
	}
	kek, err := k.kdf.derive(unhex("7DF12D412AE299A24FDE6D7C3BB8E3194C80AD3C733DCF2775E09FE8BEDB86D8"), k.info, k.keyBytes)
	if want := unhex("CF453A3E2BAE0A78701B8206C185A008"); err != nil || !bytes.Equal(kek, want) {
		t.Fatalf("key encryption key %x, %v", kek, err)
	}
	key, ok := unwrapKey(kek, targets[0].encryptedKey)
	if want := unhex("C5153005588269A0A59F3C01943FDD56"); !ok || !bytes.Equal(key, want) {
		t.Errorf("content key %x", key)
	}
}
