package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

// newBrowser starts a headless Chromium with an empty profile, that saves downloads in a folder and asks no other host for
// anything of its own.
func newBrowser(t *testing.T, downloads string) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	alloc, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(stop)
	ctx, stop := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(stop)
	if err := chromedp.Run(ctx, browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(downloads).WithEventsEnabled(true)); err != nil {
		t.Fatalf("Chromium cannot be started; make test installs it: %v", err)
	}
	return ctx
}

// do runs actions in a browser, and shows the page when they fail.
func do(t *testing.T, ctx context.Context, what string, actions ...chromedp.Action) {
	t.Helper()
	step, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	if err := chromedp.Run(step, actions...); err != nil {
		var text, where string
		chromedp.Run(ctx, chromedp.Location(&where), chromedp.Text("body", &text, chromedp.ByQuery))
		t.Fatalf("%s: %v\nat %s the page says:\n%s", what, err, where, text)
	}
}

// downloaded waits for a finished download that fits a pattern, and gives its path.
func downloaded(t *testing.T, folder, pattern string) string {
	t.Helper()
	var found string
	within(t, 30*time.Second, "a download "+pattern, func() bool {
		list, _ := filepath.Glob(filepath.Join(folder, pattern))
		for _, f := range list {
			if info, err := os.Stat(f); err == nil && info.Size() > 0 {
				found = f
			}
		}
		return found != ""
	})
	return found
}
