package cli

import (
	"time"

	"chancery.example/fault"
	"chancery.example/smime"
	"chancery.example/trust"
)

// beliefFlags say whom one trusts, and when.
type beliefFlags struct {
	CA           []string `name:"ca" help:"A certificate to trust, self-signed or not; once for each file." placeholder:"FILE" sep:"none"`
	Intermediate []string `help:"Certificates that may help to find the way to a trusted one." placeholder:"FILE" sep:"none"`
	CRL          []string `name:"crl" help:"A revocation list, PEM or DER." placeholder:"FILE" sep:"none"`
	Revocation   string   `enum:"auto,off,soft,hard" default:"auto" help:"off: not asked; soft: refuse what is known to be revoked; hard: refuse what is not known to be good; auto: hard with --crl, else off."`
	Offline      bool     `help:"Fetch nothing. Else soft and hard fetch what the certificates name."`
	At           string   `help:"The time to judge at, such as 2026-11-22T12:00:00Z; now if left out." placeholder:"RFC3339"`
}

// Validate checks what tags cannot say.
func (f *beliefFlags) Validate() error {
	if f.At == "" {
		return nil
	}
	if _, err := time.Parse(time.RFC3339, f.At); err != nil {
		return badUsage("--at %q is no time such as 2026-11-22T12:00:00Z", f.At)
	}
	return nil
}

// mode is how much is asked about revocation.
func (f *beliefFlags) mode() trust.RevocationMode {
	switch {
	case f.Revocation == "soft":
		return trust.Soft
	case f.Revocation == "hard", f.Revocation == "auto" && len(f.CRL) > 0:
		return trust.Hard
	}
	return trust.Off
}

// options reads the files.
func (f *beliefFlags) options(console *Console) (smime.Options, error) {
	opts := smime.Options{At: console.Now(), Revocation: f.mode()}
	if f.At != "" {
		at, err := time.Parse(time.RFC3339, f.At)
		if err != nil {
			return opts, fault.New(fault.Invalid, "cli.time", "--at %q is no time such as 2026-11-22T12:00:00Z", f.At)
		}
		opts.At = at
	}
	var err error
	if opts.Anchors, err = readAllCertificates(f.CA); err != nil {
		return opts, err
	}
	if opts.Intermediates, err = readAllCertificates(f.Intermediate); err != nil {
		return opts, err
	}
	if opts.CRLs, err = readCRLs(f.CRL); err != nil {
		return opts, err
	}
	if opts.Revocation != trust.Off && !f.Offline {
		opts.Fetcher = newFetcher()
	}
	return opts, nil
}
