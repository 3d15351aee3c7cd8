package app

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"chancery.example/fault"
)

// What lies in a data directory. Nothing in it names the machine or a path, so that the folder can be moved.
const (
	recordFile   = "house.json"  // what this house is; written last, so that its presence means "complete"
	keysFolder   = "keys"        // ca/keystore
	databaseFile = "chancery.db" // SQLite, where the configuration picks no other database
	sealFile     = "access.key"  // opens the secrets of authenticator apps in the database
	outboxFolder = "outbox"      // mails while no SMTP server is configured
	socketFile   = "chancery.sock"
	lockFile     = "lock"
	makingFolder = ".making" // a house that is being made; moved into place when it is complete
)

// Record is what a house says of itself for ever.
type Record struct {
	Format       int       `json:"format"` // 1
	ID           string    `json:"id"`
	CreatedAt    time.Time `json:"created_at"`
	Organisation string    `json:"organisation"`
	Mode         string    `json:"mode"`       // "private" or "public"
	PublicURL    string    `json:"public_url"` // stands in every certificate
	Database     string    `json:"database"`   // "sqlite" or "postgres"
}

// home is a data directory.
type home struct{ dir string }

func (h home) path(name ...string) string { return filepath.Join(append([]string{h.dir}, name...)...) }

// node names this place among those that share a database: the machine and the directory, of which the lock allows one
// process at a time. After a move it is another one, which costs no more than a pause before jobs are taken up.
func (h home) node() string {
	host, _ := os.Hostname()
	dir, err := filepath.Abs(h.dir)
	if err != nil {
		dir = h.dir
	}
	sum := sha256.Sum256([]byte(host + "\n" + dir))
	return "node-" + hex.EncodeToString(sum[:8])
}

// condition is what a data directory holds.
type condition int

const (
	vacant   condition = iota // nothing: a house may be made here
	complete                  // a house
	damaged                   // parts of a house; the error says what is missing
)

// survey says what a data directory holds. A making that was interrupted after the house was complete is finished; one that was
// interrupted before is cleared away, since nothing of it was ever used.
func (h home) survey() (condition, error) {
	if err := h.finishMaking(); err != nil {
		return damaged, err
	}
	_, err := os.Stat(h.path(recordFile))
	if err == nil {
		return complete, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return damaged, fault.Wrap(err, fault.Unavailable, "house.unreadable", "The data directory %s cannot be read: %v", h.dir, err)
	}
	for _, part := range []string{keysFolder, databaseFile, sealFile} {
		if _, err := os.Stat(h.path(part)); err == nil {
			return damaged, fault.New(fault.Unavailable, "house.record-missing",
				"The data directory %s holds %s but not %s, which says whose they are. Restore %s from a backup, or choose an empty directory for a new house.", h.dir, part, recordFile, recordFile)
		}
	}
	return vacant, nil
}

// finishMaking moves a complete new house into place, or clears away an incomplete one.
func (h home) finishMaking() error {
	making := h.path(makingFolder)
	if _, err := os.Stat(making); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(filepath.Join(making, recordFile)); errors.Is(err, fs.ErrNotExist) {
		return os.RemoveAll(making)
	}
	parts, err := os.ReadDir(making)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if p.Name() == recordFile {
			continue // last
		}
		if err := os.Rename(filepath.Join(making, p.Name()), h.path(p.Name())); err != nil {
			return fault.Wrap(err, fault.Unavailable, "house.moving", "The new house cannot be moved into %s: %v", h.dir, err)
		}
	}
	if err := os.Rename(filepath.Join(making, recordFile), h.path(recordFile)); err != nil {
		return err
	}
	if err := syncFolder(h.dir); err != nil {
		return err
	}
	return os.Remove(making)
}

// clearAway removes a making that failed. One that was complete stays: the next survey finishes it.
func (h home) clearAway() error {
	if _, err := os.Stat(h.path(makingFolder, recordFile)); err == nil {
		return nil
	}
	return os.RemoveAll(h.path(makingFolder))
}

// read reads the record.
func (h home) read() (Record, error) {
	var r Record
	raw, err := os.ReadFile(h.path(recordFile))
	if err != nil {
		return r, fault.Wrap(err, fault.Unavailable, "house.record-missing", "The file %s cannot be read: %v", h.path(recordFile), err)
	}
	if err := json.Unmarshal(raw, &r); err != nil || r.Format != 1 || r.PublicURL == "" {
		return r, fault.Wrap(err, fault.Unavailable, "house.record-damaged", "The file %s is damaged or of a later version. Restore it from a backup.", h.path(recordFile))
	}
	return r, nil
}

// write stores the record durably.
func (h home) write(r Record) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return writeDurably(h.path(recordFile), append(raw, '\n'))
}

// writeDurably writes a small private file whole or not at all.
func writeDurably(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// lock takes the data directory for this process; the kernel gives it back when the process ends, however it ends.
func (h home) lock() (*os.File, error) {
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "house.directory", "The data directory %s cannot be made: %v", h.dir, err)
	}
	if info, err := os.Stat(h.dir); err == nil && info.Mode()&0o002 != 0 { // also with a sticky bit: a part that is not there yet could be planted
		return nil, fault.New(fault.Refused, "house.directory-open", "Everybody on this machine may write to the data directory %s, and so plant or replace keys. Take that right away: chmod o-w %s", h.dir, h.dir)
	}
	f, err := os.OpenFile(h.path(lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "house.directory", "The data directory %s cannot be written: %v", h.dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fault.Wrap(err, fault.Conflict, "house.in-use", "Another chancery is running on the data directory %s. Stop it first.", h.dir)
	}
	return f, nil
}
