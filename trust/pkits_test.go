package trust

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// corpora is the folder of files that others made; CHANCERY_CORPORA names another place.
func corpora(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("CHANCERY_CORPORA")
	if dir == "" {
		dir = "../../shared/corpora"
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpora at %s; set CHANCERY_CORPORA to run these cases", dir)
	}
	return dir
}

// pkitsCase is one case of pkits-expected.json.
type pkitsCase struct {
	ID, Title, Name  string
	Certs, CRLs      []string
	Valid            bool      `json:"should_validate"`
	Policies         []string  `json:"initial_policy_set"`
	Explicit         bool      `json:"initial_explicit_policy"`
	InhibitMapping   bool      `json:"initial_policy_mapping_inhibit"`
	InhibitAny       bool      `json:"initial_inhibit_any_policy"`
	ExpectedPolicies *[]string `json:"expected_user_constrained_policy_set"`
}

// pkitsPolicy gives the object identifier of a policy by its name in PKITS.
func pkitsPolicy(t *testing.T, name string) x509.OID {
	t.Helper()
	text := "2.5.29.32.0"
	if n, ok := strings.CutPrefix(name, "NIST-test-policy-"); ok {
		text = "2.16.840.1.101.3.2.1.48." + n
	}
	oid, err := x509.ParseOID(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return oid
}

func TestPKITS(t *testing.T) {
	dir := filepath.Join(corpora(t), "pkits-boringssl")
	data, err := os.ReadFile(filepath.Join(dir, "pkits-expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var suite struct{ Tests []pkitsCase }
	if err := json.Unmarshal(data, &suite); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "pki/testdata/nist-pkits")
	agree := 0
	// DSA is refused: no mail program in use makes or takes it, and crypto/x509 does not verify it.
	dsa := []string{"4.1.4", "4.1.5"}
	for _, c := range suite.Tests {
		t.Run(c.Name, func(t *testing.T) {
			if slices.Contains(dsa, c.ID) {
				c.Valid = false
			}
			opts := Options{At: time.Date(2011, 4, 15, 0, 0, 0, 0, time.UTC), Revocation: Hard,
				ExplicitPolicy: c.Explicit, InhibitPolicyMapping: c.InhibitMapping, InhibitAnyPolicy: c.InhibitAny}
			for _, p := range c.Policies {
				opts.Policies = append(opts.Policies, pkitsPolicy(t, p))
			}
			var leaf *x509.Certificate
			var refused error
			for i, name := range c.Certs {
				der, err := os.ReadFile(filepath.Join(dir, "certs", name+".crt"))
				if err != nil {
					t.Fatal(err)
				}
				cert, err := ParseCertificate(der)
				switch {
				case err != nil:
					refused = err
				case i == 0:
					opts.Anchors = []*x509.Certificate{cert}
				case i == len(c.Certs)-1:
					leaf = cert
				default:
					opts.Intermediates = append(opts.Intermediates, cert)
				}
			}
			for _, name := range c.CRLs {
				der, err := os.ReadFile(filepath.Join(dir, "crls", name+".crl"))
				if err != nil {
					t.Fatal(err)
				}
				crl, err := ParseCRL(der)
				if err != nil {
					t.Logf("%s: %v", name, err)
					continue
				}
				opts.CRLs = append(opts.CRLs, crl)
			}
			if leaf == nil {
				if c.Valid {
					t.Errorf("%s is valid, but we cannot read a certificate: %v", c.Title, refused)
				} else {
					agree++
				}
				return
			}
			r := Evaluate(context.Background(), leaf, opts)
			if r.Trusted != c.Valid {
				t.Errorf("%s: trusted %v, want %v: %v", c.Title, r.Trusted, c.Valid, r.Reasons)
				return
			}
			if c.Valid && c.ExpectedPolicies != nil {
				var want, got []string
				for _, p := range *c.ExpectedPolicies {
					want = append(want, pkitsPolicy(t, p).String())
				}
				for _, p := range r.Policies {
					got = append(got, p.String())
				}
				slices.Sort(want)
				slices.Sort(got)
				if !slices.Equal(want, got) {
					t.Errorf("%s: the policies are %v, want %v", c.Title, got, want)
					return
				}
			}
			t.Logf("%s: %v", c.Title, r.Reasons)
			agree++
		})
	}
	if want := 247; agree != want {
		t.Errorf("%d of %d cases as NIST says, %d of them DSA that we refuse on purpose; want %d", agree, len(suite.Tests), len(dsa), want)
	}
}
