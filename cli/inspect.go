package cli

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"io"

	"chancery.example/cms"
	"chancery.example/fault"
	"chancery.example/pkcs12"
	"chancery.example/smime"
)

type inspectCmd struct {
	PassphraseFile string `help:"A file whose first line opens a PKCS#12; else the environment variable CHANCERY_PASSPHRASE." placeholder:"FILE"`
	JSON           bool   `name:"json" help:"Write one JSON object."`
	File           string `arg:"" optional:"" help:"The file; standard input if left out."`
}

// Help is shown by inspect --help.
func (c *inspectCmd) Help() string {
	return "It only looks: no signature is checked, nothing is believed. chancery verify and chancery trust judge."
}

// Run inspects.
func (c *inspectCmd) Run(console *Console) error {
	in, done, err := console.openInput(c.File)
	if err != nil {
		return err
	}
	defer done()
	found, err := c.look(console, in)
	if err != nil {
		return err
	}
	if c.JSON {
		encoder := json.NewEncoder(console.Stdout)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(found)
	}
	return found.write(console.Stdout)
}

// look finds out what the input is. Mails and CMS are read as streams, the rest is small and read whole.
func (c *inspectCmd) look(console *Console, in io.Reader) (*finding, error) {
	in, form := formOfInput(in, "auto")
	if form == "smime" {
		part, err := smime.Describe(console.Ctx, in, cms.Limits{})
		if err != nil {
			return nil, err
		}
		if part.Bare {
			return nil, errUnknownFile()
		}
		return mailFinding(part), nil
	}
	start := make([]byte, 4096)
	n, err := io.ReadFull(in, start)
	if n == 0 {
		return nil, err
	}
	start = start[:n]
	in = io.MultiReader(bytes.NewReader(start), in)
	if form == "der" && isCMS(start) || form == "pem" && isPEMOfCMS(start) {
		part, err := smime.DescribeCMS(console.Ctx, in, cms.Limits{})
		if err != nil {
			return nil, err
		}
		return cmsFinding(part), nil
	}
	data, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fault.New(fault.TooLarge, "cli.file-too-large", "the file is larger than %d MiB and no mail", maxFile>>20)
	}
	if form == "der" {
		return c.der(console, data)
	}
	return c.pem(console, data)
}

// pem looks at every block of a PEM file.
func (c *inspectCmd) pem(console *Console, data []byte) (*finding, error) {
	all := &finding{Kind: "PEM file"}
	var failed error
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		found, err := c.der(console, firstElement(block.Bytes))
		if err != nil {
			found, failed = &finding{Kind: "unknown"}, err
			found.add("damage", fault.Sentence(err))
		}
		found.add("label", block.Type)
		all.Parts = append(all.Parts, found)
	}
	switch len(all.Parts) {
	case 0:
		return nil, fault.New(fault.Invalid, "cli.pem", "the file begins as PEM, but holds no whole block")
	case 1:
		return all.Parts[0], failed
	}
	return all, nil
}

// p12 looks into a PKCS#12 as far as the passphrase opens it.
func (c *inspectCmd) p12(console *Console, data []byte) (*finding, error) {
	found := &finding{Kind: "PKCS#12"}
	flags := identityFlags{PassphraseFile: c.PassphraseFile}
	given := c.PassphraseFile != "" || console.Getenv("CHANCERY_PASSPHRASE") != ""
	passphrase := ""
	if given {
		var err error
		if passphrase, err = flags.passphrase(console, c.File); err != nil {
			return nil, err
		}
	}
	list, extra, err := pkcs12.Decode(data, passphrase, pkcs12.Limits{})
	if fault.CodeOf(err) == "pkcs12.wrong-password" && !given {
		found.add("sealed", "with a passphrase; give --passphrase-file to look inside")
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	for _, one := range list {
		part := &finding{Kind: "private key"}
		part.add("key", keyWords(one.Key))
		part.add("name", one.FriendlyName)
		if one.Cert != nil {
			part.Parts = append(part.Parts, certificateFinding(one.Cert))
		}
		for _, cert := range one.Chain {
			part.Parts = append(part.Parts, certificateFinding(cert))
		}
		found.Parts = append(found.Parts, part)
	}
	for _, cert := range extra {
		found.Parts = append(found.Parts, certificateFinding(cert))
	}
	return found, nil
}

func errUnknownFile() error {
	return fault.New(fault.Invalid, "cli.unknown-file", "this is no mail, CMS, certificate, request, CRL, key or PKCS#12 that can be read")
}
