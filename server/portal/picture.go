package portal

import (
	"fmt"
	"html/template"
	"image"
	"strings"

	"github.com/pquerna/otp"
)

// qr draws the secret of an authenticator app as an SVG, which needs no second request that would carry the secret.
func qr(uri string) template.HTML {
	key, err := otp.NewKeyFromURL(uri)
	if err != nil || key.Type() != "totp" {
		return ""
	}
	for side := 21; side <= 177; side += 4 { // the sides that a QR code can have; a picture cannot be smaller than its code
		if img, err := key.Image(side, side); err == nil {
			return svgOf(img)
		}
	}
	return ""
}

// quiet is the white border that readers of QR codes need, in modules.
const quiet = 4

// svgOf draws the dark pixels of a black-and-white picture, one path of horizontal runs.
func svgOf(img image.Image) template.HTML {
	b := img.Bounds()
	var path strings.Builder
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			start := x
			for x < b.Max.X && dark(img, x, y) {
				x++
			}
			if x > start {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", start, y, x-start, x-start)
			}
		}
	}
	return template.HTML(fmt.Sprintf(`<svg class="qr" viewBox="%d %d %d %d" width="200" height="200" aria-hidden="true" shape-rendering="crispEdges"><path d="%s"/></svg>`,
		b.Min.X-quiet, b.Min.Y-quiet, b.Dx()+2*quiet, b.Dy()+2*quiet, path.String()))
}

func dark(img image.Image, x, y int) bool {
	r, _, _, _ := img.At(x, y).RGBA()
	return r < 0x8000
}

// bar is one bar of a chart.
type bar struct {
	X, Y, W, H int
	N          int
	Label      template.HTML
}

// chart is a row of bars in a box of Width x Height.
type chart struct {
	Width, Height int
	Bars          []bar
	Total, Most   int
}

// barChart lays out counts as bars; the greatest has the full height, and a count of one can still be seen.
func barChart(counts []int, label func(i int) template.HTML) chart {
	const step, gap, height = 12, 3, 96
	c := chart{Width: step*len(counts) - gap, Height: height}
	for _, n := range counts {
		c.Total += n
		c.Most = max(c.Most, n)
	}
	for i, n := range counts {
		h := 2
		if n > 0 {
			h = max(6, n*height/c.Most)
		}
		c.Bars = append(c.Bars, bar{X: i * step, Y: height - h, W: step - gap, H: h, N: n, Label: label(i)})
	}
	return c
}
