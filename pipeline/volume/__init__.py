"""Where the bytes come from: device, image, partition, saved $MFT, directory."""
