package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// What fetching one CRL, OCSP answer or certificate may cost.
const (
	fetchTimeout = 10 * time.Second
	fetchBytes   = 64 << 20
	// fetchAll bounds all fetches of one command together: a stranger's certificate may name many silent servers.
	fetchAll = 30 * time.Second
)

// fetcher gets what certificates name, over plain HTTP as RFC 5280 4.2.1.13 and RFC 6960 A.1 have it. The command line
// acts for whoever typed it, with that person's reach; the doors of the house have a stricter one.
type fetcher struct {
	client *http.Client
	once   sync.Once
	end    time.Time // of all fetches; set by the first
}

func newFetcher() *fetcher {
	return &fetcher{client: &http.Client{Timeout: fetchTimeout, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > 3 {
			return fmt.Errorf("more than three redirections")
		}
		return nil
	}}}
}

// Get fetches a URL.
func (f *fetcher) Get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return f.do(request)
}

// Post sends a body to a URL and fetches the answer.
func (f *fetcher) Post(ctx context.Context, url, contentType string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", contentType)
	return f.do(request)
}

func (f *fetcher) do(request *http.Request) ([]byte, error) {
	if scheme := request.URL.Scheme; scheme != "http" && scheme != "https" {
		return nil, fmt.Errorf("%s is not fetched", scheme)
	}
	f.once.Do(func() { f.end = time.Now().Add(fetchAll) })
	ctx, cancel := context.WithDeadline(request.Context(), f.end)
	defer cancel()
	answer, err := f.client.Do(request.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", request.URL.Host, answer.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, fetchBytes+1))
	if err == nil && len(body) > fetchBytes {
		err = fmt.Errorf("%s answered more than %d MiB", request.URL.Host, fetchBytes>>20)
	}
	return body, err
}
