"""What happens to a sound on its way to the recogniser?"""
