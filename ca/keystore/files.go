package keystore

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"chancery.example/fault"
)

const temporaryPrefix = ".new-"

// writeFile puts content under a name in one step that survives a crash: the folder holds the old file or the new one,
// never a part.
func writeFile(dir, name string, content []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(dir, temporaryPrefix)
	if err != nil {
		return ioFault(err, "Nothing can be written to the key folder %s.", dir)
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err == nil {
		err = syncFolder(dir)
	}
	if err != nil {
		return ioFault(err, "The file %s could not be written to the key folder %s.", name, dir)
	}
	return nil
}

// syncFolder makes a rename durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readFile reads a bounded file. That it is not there shows as fs.ErrNotExist.
func readFile(dir, name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, ioFault(err, "The file %s in the key folder %s cannot be read.", name, dir)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, ioFault(err, "The file %s in the key folder %s cannot be read.", name, dir)
	}
	if len(content) > maxFile {
		return nil, fault.New(fault.Unavailable, "keystore.damaged", "The file %s is far too large for a key; put it back from the backup.", name)
	}
	return content, nil
}

// list returns the sorted names of the files of a folder.
func list(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(err, fault.Unavailable, "keystore.missing", "The key folder %s is not there.", dir)
	}
	if err != nil {
		return nil, ioFault(err, "The key folder %s cannot be read.", dir)
	}
	defer d.Close()
	names, err := d.Readdirnames(maxKeys)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, ioFault(err, "The key folder %s cannot be read.", dir)
	}
	slices.Sort(names)
	return names, nil
}

func ioFault(cause error, format string, args ...any) error {
	return fault.Wrap(cause, fault.Unavailable, "keystore.io", format, args...)
}
