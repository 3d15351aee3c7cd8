package portal

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed assets
var assetFiles embed.FS

// assetTypes are the kinds of file that the portal serves; licences and anything else stay inside.
var assetTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".svg":   "image/svg+xml",
	".woff2": "font/woff2",
}

// asset is one file, ready to be sent.
type asset struct {
	mediaType string
	plain     []byte
	zipped    []byte // nil where compression gains nothing
}

// assets is everything that a page may load. All names share one version, the hash of the whole set, so that a style
// sheet can name a font beside it and every file may be cached for ever.
type assets struct {
	version string
	files   map[string]asset
}

// loadAssets reads and compresses the embedded files once.
func loadAssets(files fs.FS) (*assets, error) {
	a := &assets{files: map[string]asset{}}
	sum := sha256.New()
	err := fs.WalkDir(files, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		mediaType, ok := assetTypes[path.Ext(name)]
		if !ok {
			return nil
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(data))
		sum.Write(data)
		one := asset{mediaType: mediaType, plain: data}
		if mediaType != assetTypes[".woff2"] {
			one.zipped = compress(data)
		}
		a.files[path.Base(name)] = one
		return nil
	})
	a.version = hex.EncodeToString(sum.Sum(nil)[:6])
	return a, err
}

func compress(data []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	w.Write(data)                                         // a Buffer takes everything
	w.Close()
	return b.Bytes()
}

// address is where a page finds a file.
func (a *assets) address(name string) string { return "/assets/" + a.version + "/" + name }

// serve answers GET /assets/{version}/{name}.
func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	one, ok := a.files[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", one.mediaType)
	h.Set("Vary", "Accept-Encoding")
	if r.PathValue("version") == a.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else { // a page of an older release asks; what it gets must not be kept under the old name
		h.Set("Cache-Control", "no-cache")
	}
	body := one.plain
	if one.zipped != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = one.zipped
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method != http.MethodHead {
		w.Write(body) // the reader may be gone; there is nobody to tell
	}
}
