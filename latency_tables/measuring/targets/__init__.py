"""Devices to measure: this machine, a host over ssh, a phone over adb."""
