// Posts a file, as Go's own client does, and prints the status and the body of the answer.
// Usage: post URL FILE [Header=value ...]
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	body, err := os.ReadFile(os.Args[2])
	if err == nil {
		var request *http.Request
		if request, err = http.NewRequest("POST", os.Args[1], bytes.NewReader(body)); err == nil {
			for _, header := range os.Args[3:] {
				name, value, _ := strings.Cut(header, "=")
				request.Header.Set(name, value)
			}
			var answer *http.Response
			client := http.Client{Timeout: 20 * time.Second}
			if answer, err = client.Do(request); err == nil {
				text, _ := io.ReadAll(answer.Body)
				fmt.Printf("%d %s", answer.StatusCode, text)
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
