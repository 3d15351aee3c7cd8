package lint

import (
	"fmt"
	"strings"
	"sync"

	zx509 "github.com/zmap/zcrypto/x509"
	zlint "github.com/zmap/zlint/v3/lint"

	// The rules register themselves when they are imported; these are the sets that concern what this house issues.
	// Those of TLS servers, code signing and Apple's and Chrome's stores are left out.
	_ "github.com/zmap/zlint/v3/lints/cabf_smime_br"
	_ "github.com/zmap/zlint/v3/lints/community"
	_ "github.com/zmap/zlint/v3/lints/mozilla"
	_ "github.com/zmap/zlint/v3/lints/rfc"
)

// zlintSet is the rules that apply here, with their configuration (none). Executing them one by one spares what
// zlint.LintCertificateEx does for each certificate: sorting the names of all rules, and keeping every result.
type zlintSet struct {
	rules         []*zlint.CertificateLint
	configuration zlint.Configuration
}

// overruled are zlint's rules that we know better, with the reason.
var overruled = map[string]string{
	"e_rsa_fermat_factorization":      "takes more than three times as long as all other rules together; BR-033 does the same rounds",
	"e_ext_san_rfc822_format_invalid": "refuses every space, also in a quoted local part where RFC 5321 4.1.2 allows it; BR-050 reads the whole grammar",
}

// zlints selects the rules once, by source, in case that others of this program import more of zlint.
var zlints = sync.OnceValue(func() zlintSet {
	registry := zlint.GlobalRegistry()
	set := zlintSet{configuration: registry.GetConfiguration()}
	for _, l := range registry.CertificateLints().Lints() {
		if overruled[l.Name] != "" {
			continue
		}
		switch l.Source {
		case zlint.CABFSMIMEBaselineRequirements, zlint.MozillaRootStorePolicy, zlint.Community, zlint.RFC3279,
			zlint.RFC5280, zlint.RFC5480, zlint.RFC5891, zlint.RFC6960, zlint.RFC8813:
			set.rules = append(set.rules, l)
		}
	}
	return set
})

// checkZlint runs zlint. A certificate that its parser cannot read has an error, since a reader may fail as well.
func checkZlint(der []byte, kind Kind) []Finding {
	cert, err := parseForZlint(der)
	if err != nil {
		return []Finding{{SourceZlint, "parse", "RFC 5280", Error, "zlint cannot read the certificate: " + err.Error() + "."}}
	}
	// zlint tells a root from other CAs by its own signature, which is not there yet.
	cert.SelfSigned = cert.SelfSigned || kind == Root
	var findings []Finding
	set := zlints()
	for _, l := range set.rules {
		result := l.Execute(cert, set.configuration)
		var severity Severity
		switch result.Status {
		case zlint.Notice:
			severity = Notice
		case zlint.Warn:
			severity = Warning
		case zlint.Error, zlint.Fatal:
			severity = Error
		default:
			continue // passed, not applicable, not in force
		}
		text := strings.TrimSuffix(l.Description, ".") + "."
		if result.Details != "" {
			text += " (" + result.Details + ")"
		}
		findings = append(findings, Finding{SourceZlint, l.Name, l.Citation, severity, text})
	}
	return findings
}

// parseForZlint keeps a panic of a parser that is not ours from ending the house; the rules themselves are guarded by zlint.
func parseForZlint(der []byte) (cert *zx509.Certificate, err error) {
	defer func() {
		if p := recover(); p != nil {
			cert, err = nil, fmt.Errorf("its parser failed: %v", p)
		}
	}()
	return zx509.ParseCertificate(der)
}
