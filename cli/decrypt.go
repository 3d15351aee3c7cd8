package cli

import (
	"bufio"
	"io"

	"chancery.example/cms"
	"chancery.example/smime"
)

type decryptCmd struct {
	identityFlags
	Inform string `enum:"auto,smime,der,pem" default:"auto" help:"What IN is; auto finds out. One of ${enum}."`
	In     string `arg:"" optional:"" help:"The encrypted mail; standard input if left out."`
}

// Validate checks what tags cannot say.
func (c *decryptCmd) Validate() error {
	if !c.given() {
		return badUsage("a key to open with is missing: give --p12, or --cert and --key")
	}
	return c.identityFlags.Validate()
}

// Help is shown by decrypt --help.
func (c *decryptCmd) Help() string {
	return "Nothing is written unless the whole mail opened. A signature inside is left as it is: chancery verify checks it."
}

// Run decrypts. What is inside is written as it is, a signature included.
func (c *decryptCmd) Run(console *Console) error {
	keys, err := c.decryptionKeys(console)
	if err != nil {
		return err
	}
	in, done, err := console.openInput(c.In)
	if err != nil {
		return err
	}
	defer done()
	// The writer beneath smime hands nothing on before the cms package has read the encryption to its end.
	opts := smime.Options{Keys: keys, Unwrap: smime.Decrypted, At: console.Now()}
	in, form := formOfInput(in, c.Inform)
	out := bufio.NewWriterSize(console.Stdout, 64<<10)
	var report *smime.Report
	if form == "smime" {
		report, err = smime.Open(console.Ctx, in, out, opts)
	} else {
		report, err = smime.OpenCMS(console.Ctx, in, nil, out, opts)
	}
	if err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for _, layer := range report.Layers {
		if layer.Cipher != "" && !layer.Authenticated {
			console.Warn("warning: %s does not tell whether the text was altered on its way; trust it only if chancery verify finds a valid signature", layer.Cipher)
			break
		}
	}
	return nil
}

// decryptionKeys are all keys that were given; none is no error.
func (f *identityFlags) decryptionKeys(console *Console) ([]cms.DecryptionKey, error) {
	if !f.given() {
		return nil, nil
	}
	identities, err := f.load(console)
	if err != nil {
		return nil, err
	}
	var keys []cms.DecryptionKey
	for _, own := range identities {
		keys = append(keys, cms.DecryptionKey{Certificate: own.cert, Key: own.key})
	}
	return keys, nil
}

// formOfInput finds out whether an input is a mail or bare CMS. The input that it returns is whole, and can still
// seek where it could and need not be looked at.
func formOfInput(in io.Reader, form string) (io.Reader, string) {
	if form != "auto" {
		return in, form
	}
	start := make([]byte, 64)
	if seeker, canSeek := in.(io.ReadSeeker); canSeek {
		if at, err := seeker.Seek(0, io.SeekCurrent); err == nil {
			n, _ := io.ReadFull(seeker, start)
			if _, err := seeker.Seek(at, io.SeekStart); err == nil {
				return in, formOfStart(start[:n])
			}
		}
	}
	buffered := bufio.NewReader(in)
	start, _ = buffered.Peek(64)
	return buffered, formOfStart(start)
}

func formOfStart(start []byte) string {
	switch {
	case isPEM(start):
		return "pem"
	case len(start) > 1 && start[0] == 0x30 && (start[1] >= 0x80 || start[1] < ' '):
		return "der"
	}
	return "smime"
}
